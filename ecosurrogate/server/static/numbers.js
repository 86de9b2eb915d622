// Numbers and the table that sets surrogate and solver side by side.

import { get, make } from "./elements.js";

const known = (format) => (x, ...more) =>
  (x === null || x === undefined ? "–" : format(x, ...more));

// A number in four digits; an exponent where many zeros would be.
export const short = known((x, digits = 4) => {
  const size = Math.abs(x);
  const plain = x === 0 || (size >= 1e-3 && size < 1e5);
  const rounded = Number(x.toPrecision(digits));
  return plain ? String(rounded) : rounded.toExponential();
});

// A relative error: per cent in two digits, with an exponent where many zeros would be.
export const percent = known((x) => {
  const share = Number((100 * x).toPrecision(2));
  return `${share === 0 || share >= 1e-4 ? share : share.toExponential()} %`;
});

const seconds = known((x) =>
  x < 1 ? `${Number((1000 * x).toPrecision(2))} ms` : `${Number(x.toPrecision(3))} s`);

// Fill the table with what a prediction and, once it is there, a solution say.
export function compare(prediction, solution, units) {
  const p = prediction.summary;
  const s = solution?.summary;
  const truth = s?.prediction;
  const stress = units.stress ? ` (${units.stress})` : "";
  const certified = (one) => one && (one.certificate?.relative == null
    ? "none" : percent(one.certificate.relative));
  const means = (name) => Object.keys(p[name])
    .map((c) => [c, mean(p[name], c), s && mean(s[name], c)])
    .filter(([, a, b]) => a !== "0" || (s && b !== "0"));
  const errors = (name) => [[name, percent(truth[name]), ""],
    ...truth.uniform ? [["of a uniform field", percent(truth.uniform[name]), ""]] : []];
  const rows = [
    ["time"],
    ["fields", seconds(p.time.solve), s && seconds(s.time.solve)],
    ["preparation", seconds(p.time.setup), s && seconds(s.time.setup - s.time.compile)],
    ...s ? [["iterations", "", s.iterations]] : [],
    ["relative error in energy"],
    ["its certificate", certified(p), certified(s)],
    ...truth ? [["beside the solver", percent(truth.energy), ""],
      ...truth.uniform ? [["of a uniform field", percent(truth.uniform.energy), ""]] : [],
      ["error beside the solver (nRMSE)"], ...errors("strain"), ...errors("stress")] : [],
    ["averages"],
    [`energy density${stress}`, short(p.energy), s && short(s.energy)],
    ["mean strain"], ...means("mean_strain"),
    [`mean stress${stress}`], ...means("mean_stress"),
  ];
  get("compared").querySelector("th:last-child").hidden = !s;
  get("compared").tBodies[0].replaceChildren(...rows.map((cells) => cells.length > 1
    ? make("tr", {}, ...cells.slice(0, s ? 3 : 2).map((text) => make("td", {}, text)))
    : make("tr", { className: "group" }, make("td", { colSpan: 3 }, ...cells))));
  get("verdict").textContent = [reason(p), truth && verdict(s)].filter(Boolean).join(" ");
}

// Rounding beside the largest component is zero.
function mean(values, c) {
  const largest = Math.max(...Object.values(values).map(Math.abs));
  return Math.abs(values[c]) < 1e-5 * largest ? "0" : short(values[c]);
}

function reason({ certificate }) {
  return certificate?.relative == null && certificate?.reason
    ? `No certificate: ${certificate.reason}.` : "";
}

// After how many iterations, and in which time, the solver is as good.
function verdict({ iterations, prediction }) {
  const [strain, stress] = ["strain", "stress"].map((name) => {
    const enough = prediction.iterations[name];
    if (prediction[name] === null) return `the ${name} does not vary`;
    return enough === null ? `its ${name} is never as good as the surrogate's`
      : `its ${name} is as good as the surrogate's after ${enough}`
        + ` (${seconds(prediction.seconds[name])})`;
  });
  return `The solver took ${iterations} iterations; ${strain}, ${stress}.`;
}
