// The page: asks for a prediction, then for the solver's answer, and shows both.

import { get, make } from "./elements.js";
import * as form from "./form.js";
import { compare, short } from "./numbers.js";
import { ask, Cancelled, drop, json, save, work } from "./server.js";
import { Slices } from "./slices.js";

const slices = new Slices(get("grid"), showProbe);
let prediction = null;
let asked = null; // what was chosen for it
let solution = null;
let fields = null; // what GET /jobs/{id}/fields says of the prediction
let kept = new Map(); // fields that were fetched
let running = null;
let shown = 0; // number of the last picture asked for

async function start() {
  const { models } = await json("models");
  const isLaminates = ({ model }) => model === "dmn";
  const laminates = models.filter(isLaminates).map(({ name }) => name);
  const others = models.filter((model) => !isLaminates(model));
  get("laminates").hidden = !laminates.length;
  get("laminates").textContent = `For programs, not here: POST /respond follows load paths
    with the network${laminates.length > 1 ? "s" : ""} of laminates ${laminates.join(", ")}.`;
  if (others.length) form.setUp(others);
  for (const event of ["input", "change"]) on("ask", event, showStale);
  const health = await json("health");
  get("health").textContent = `version ${health.version}, on ${models[0].device}`;
}

async function predict() {
  const state = form.state();
  const about = form.describe();
  progress("Making or reading the microstructure");
  // what is there is of other inputs
  get("result").inert = true;
  try {
    const request = await form.request();
    const job = await work("predict?wait=0", request, (now) => progress("Predicting", now));
    const found = await json(`jobs/${job.id}/fields`);
    forget();
    [prediction, asked, fields] = [job, state, found];
    slices.open(fields);
    showAbout(about);
    list("field", Object.keys(fields.fields), "stress");
    listComponents();
    showResult(true);
  } catch (error) {
    if (!(error instanceof Cancelled)) forget();
    throw error;
  } finally {
    get("result").inert = false;
    showStale();
  }
  await show();
}

async function solve() {
  solution = await work(`jobs/${prediction.id}/solve?wait=0`, { method: "POST" },
    (now) => progress("Solving", now));
  await show();
}

// What the result is of.
function showAbout({ body, load, model }) {
  const voxels = fields.shape.join(" × ");
  const told = { body, voxels, load: load(fields.units), model };
  get("about").replaceChildren(...Object.entries(told).map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function showResult(there) {
  get("result").hidden = !there;
  get("empty").hidden = there;
}

function showStale() {
  get("stale").hidden = form.state() === asked;
}

// Do something; what goes wrong is said in one line.
async function careful(task) {
  get("error").hidden = true;
  try {
    await task();
  } catch (error) {
    if (error instanceof Cancelled) return;
    get("error").textContent = error.message;
    get("error").hidden = false;
    get("error").scrollIntoView({ block: "nearest" });
  }
}

// Do something that takes a while, one at a time.
async function busy(task) {
  for (const id of ["predict", "solve"]) get(id).disabled = true;
  await careful(task);
  running = null;
  get("progress").hidden = true;
  get("predict").disabled = !form.ready();
  get("solve").disabled = Boolean(solution);
}

function progress(what, job) {
  running = job;
  get("cancel").hidden = !job;
  const { iteration, residual, phase } = job?.progress ?? {};
  const parts = [what, job?.state === "queued" && "waiting for its turn", phase];
  if (iteration && !phase) parts.push(`iteration ${iteration}, residual ${short(residual)}`);
  const [text, bar] = get("progress").children;
  text.textContent = parts.filter(Boolean).join(": ");
  // residuals fall from 1 to 1e-6
  if (residual && !phase) bar.value = Math.min(1, Math.max(0, -Math.log10(residual) / 6));
  else bar.removeAttribute("value");
  get("progress").hidden = false;
}

// List names to choose from; the one that was chosen stays so.
function list(id, names, first) {
  const { value } = get(id);
  get(id).replaceChildren(...names.map((name) => new Option(name.replace("_", " "), name)));
  get(id).disabled = !names.length;
  get(id).value = names.includes(value) ? value : first;
}

function listComponents() {
  const names = fields.fields[get("field").value];
  list("component", names, names[0] ?? "");
}

async function show() {
  get("save-solution").disabled = !solution;
  const notes = [prediction, solution].flatMap((job) => job?.summary.notes ?? []);
  get("notes").replaceChildren(...[...new Set(notes)].map((note) => make("li", {}, note)));
  compare(prediction, solution, fields.units);
  await showFields();
}

async function showFields() {
  const mine = ++shown;
  get("grid").inert = true;
  try {
    const rows = await rowsOf(get("field").value, get("component").value);
    if (mine === shown) slices.show(rows); // else another one was chosen meanwhile
  } catch (error) {
    // what is there is of another field
    if (mine === shown) slices.clear();
    throw error;
  } finally {
    if (mine === shown) get("grid").inert = false;
  }
}

async function rowsOf(name, component) {
  const a = await fetched(prediction, name, component);
  const b = solution && await fetched(solution, name, component);
  get("sign").hidden = !b || name === "phase";
  if (name === "phase") return [{ ...a, title: "phase", scale: null }];
  const scale = b ? union(a.scale, b.scale) : a.scale;
  const rows = [{ ...a, title: "surrogate", scale }];
  if (b) {
    const values = a.values.map((x, i) => x - b.values[i]);
    rows.push({ ...b, title: "solver", scale });
    rows.push({ ...a, title: "difference", values, scale: centred(values) });
  }
  return rows;
}

async function fetched(job, name, component) {
  const path = `jobs/${job.id}/fields/${name}` + (component && `?component=${component}`);
  if (!kept.has(path)) {
    const answer = await ask(path);
    const { unit, ...scale } = JSON.parse(answer.headers.get("X-Field"));
    kept.set(path, { values: new Float32Array(await answer.arrayBuffer()), unit, scale });
  }
  return kept.get(path);
}

function union(a, b) {
  const [low, high] = [Math.min(a.low, b.low), Math.max(a.high, b.high)];
  return a.diverging || b.diverging
    ? bothSigns(Math.max(-low, high)) : { low, high, diverging: false };
}

// A scale for both signs that leaves out the largest half per cent.
function centred(values) {
  const sizes = values.filter((x) => !Number.isNaN(x)).map(Math.abs).sort();
  return bothSigns(sizes[Math.floor(0.995 * (sizes.length - 1))] || 1e-12);
}

const bothSigns = (end) => ({ low: -end, high: end, diverging: true });

function showProbe(found) {
  const named = ([title, x]) => `${title} ${Number.isNaN(x) ? "pore" : short(x)}`;
  get("probe").value = found
    ? [`voxel ${found.at.join(" ")}`, ...found.values.map(named)].join(",  ") + ` ${found.unit}`
    : "Point at a voxel for its value.";
}

// Have the server forget what is no longer shown.
function forget() {
  for (const job of [prediction, solution]) if (job) drop(job);
  [prediction, solution, asked, kept] = [null, null, null, new Map()];
  slices.clear();
  showResult(false);
}

const on = (id, event, act) => get(id).addEventListener(event, act);

on("ask", "submit", (event) => {
  event.preventDefault();
  busy(predict);
});
on("solve", "click", () => busy(solve));
on("cancel", "click", () => running && drop(running));
on("save-prediction", "click", () => careful(() => save(prediction, "prediction.vtkhdf")));
on("save-solution", "click", () => careful(() => save(solution, "solution.vtkhdf")));
on("field", "change", () => {
  listComponents();
  careful(showFields);
});
on("component", "change", () => careful(showFields));
window.addEventListener("pagehide", (event) => event.persisted || forget());

showProbe(null);
busy(start);
