// Three slices of a few fields, one row each, on canvases: one pixel is one voxel.

import { painter, phasePainter, table } from "./colors.js";
import { get, make } from "./elements.js";
import { short } from "./numbers.js";

const AXES = ["x", "y", "z"];
const LEAST = 110; // pixels of a slice's longer edge, where there is place for it
const REM = 16;
const [GAP, TITLE, SCALE] = [0.6 * REM, 1.2 * REM, 5.8 * REM]; // between, left, right

// Horizontal and vertical axis of a slice.
const plane = (axis) => [0, 1, 2].filter((a) => a !== axis);

export class Slices {
  // `probe` is told the voxel under the mouse, or null.
  constructor(place, probe) {
    Object.assign(this, { place, probe, rows: [], index: null });
    new ResizeObserver(() => this.fit()).observe(place.parentElement);
    window.addEventListener("resize", () => this.fit());
  }

  // Of fields {shape, size} of a body: other slices than before if the shape differs.
  open({ shape, size }) {
    this.clear();
    this.size = size;
    if (String(shape) === String(this.shape)) return;
    this.shape = shape;
    this.index = shape.map((n) => Math.floor(n / 2));
    this.normals = [0, 1, 2].filter((a) => plane(a).every((b) => shape[b] > 1));
    if (!this.normals.length) this.normals = [2];
  }

  clear() {
    this.rows = [];
    this.place.replaceChildren();
  }

  // Show rows {title, values, scale, unit}; scale is null of phases.
  show(rows) {
    this.rows = rows;
    this.place.style.gridTemplateColumns =
      `${TITLE}px repeat(${this.normals.length}, minmax(0, 1fr)) ${SCALE}px`;
    this.place.replaceChildren(
      make("span"),
      ...this.normals.map((a) => this.slider(a)),
      make("span"),
      ...rows.flatMap((row) => this.line(row)),
    );
    this.fit();
    this.paint();
  }

  slider(axis) {
    const value = this.index[axis];
    const output = make("output", { value });
    const input = make("input", {
      type: "range", min: 0, max: this.shape[axis] - 1, value,
      ariaLabel: `slice across ${AXES[axis]}`,
    });
    input.addEventListener("input", () => {
      this.index[axis] = Number(input.value);
      output.value = input.value;
      this.paint();
    });
    return make("label", {}, AXES[axis], input, output);
  }

  line(row) {
    row.canvases = new Map();
    const figures = this.normals.map((axis) => {
      const [h, v] = plane(axis);
      const canvas = make("canvas", {
        width: this.shape[h], height: this.shape[v],
        ariaLabel: `${row.title}, slice across ${AXES[axis]}`,
      });
      canvas.addEventListener("mousemove", (e) => this.point(e, canvas, axis));
      canvas.addEventListener("mouseleave", () => this.probe(null));
      row.canvases.set(axis, canvas);
      const caption = make("figcaption", {}, `${AXES[h]} →  ${AXES[v]} ↑`);
      return make("figure", { className: "slice" }, canvas, caption);
    });
    return [make("h3", {}, row.title), ...figures, scaleOf(row)];
  }

  paint() {
    for (const { canvases, values, scale } of this.rows) {
      const color = scale ? painter(scale) : phasePainter(values);
      for (const [axis, canvas] of canvases) this.paintOne(canvas, axis, values, color);
    }
  }

  paintOne(canvas, axis, values, color) {
    const [h, v] = plane(axis);
    const { width, height } = canvas;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const at = [...this.index];
    let byte = 0;
    for (at[v] = height - 1; at[v] >= 0; at[v]--) {
      for (at[h] = 0; at[h] < width; at[h]++, byte += 4) {
        image.data.set(color(values[this.offset(at)]), byte);
        image.data[byte + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  // All slices to one scale, so large that all rows are seen if the window allows it.
  fit() {
    if (!this.rows.length) return;
    const count = this.normals.length;
    const wide = (this.place.clientWidth - TITLE - SCALE - GAP * (count + 1)) / count;
    const top = this.place.getBoundingClientRect().top + window.scrollY
      + get("result").scrollTop;
    const high = (window.innerHeight - top - 80) / this.rows.length - 26;
    const longest = (k) => Math.max(...this.normals.map((a) => this.size[plane(a)[k]]));
    const [width, height] = [longest(0), longest(1)];
    const least = LEAST / Math.max(width, height);
    const factor = Math.min(wide / width, Math.max(least, high / height));
    for (const { canvases } of this.rows) {
      for (const [axis, { style }] of canvases) {
        [style.width, style.height] = plane(axis).map((a) => `${factor * this.size[a]}px`);
      }
    }
    for (const { style } of this.place.querySelectorAll(".scale")) {
      style.height = `${Math.max(LEAST, factor * height)}px`;
    }
  }

  point(event, canvas, axis) {
    const [h, v] = plane(axis);
    const box = canvas.getBoundingClientRect();
    const inside = (share, n) => Math.max(0, Math.min(n - 1, Math.floor(share * n)));
    const at = [...this.index];
    at[h] = inside((event.clientX - box.left) / box.width, this.shape[h]);
    at[v] = inside((box.bottom - event.clientY) / box.height, this.shape[v]);
    const i = this.offset(at);
    const values = this.rows.map((row) => [row.title, row.values[i]]);
    this.probe({ at, values, unit: this.rows[0].unit });
  }

  offset([i, j, k]) {
    return (i * this.shape[1] + j) * this.shape[2] + k;
  }
}

function scaleOf({ scale, unit, values }) {
  if (!scale) return make("div", {}, `${new Set(values).size} phases`);
  const colors = table(scale);
  const canvas = make("canvas", { width: 1, height: colors.length });
  const context = canvas.getContext("2d");
  const image = context.createImageData(1, colors.length);
  colors.toReversed().forEach((rgb, i) => image.data.set([...rgb, 255], 4 * i));
  context.putImageData(image, 0, 0);
  const ends = [short(scale.high, 3), "", short(scale.low, 3)].map((x) => make("span", {}, x));
  const name = make("span", { className: "unit" }, unit);
  return make("div", { className: "scale" }, canvas, ...ends, name);
}
