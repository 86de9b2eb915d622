// Numbers and the table that sets surrogate and solver side by side.

import { get, make } from "./elements.js";

const known = (format) => (x) => (x === null || x === undefined ? "–" : format(x));

export const short = known((x) => {
  const size = Math.abs(x);
  const plain = x === 0 || (size >= 1e-3 && size < 1e5);
  return plain ? String(Number(x.toPrecision(4))) : x.toExponential(2);
});

const share = known((x) =>
  x >= 1e-4 ? `${Number((100 * x).toPrecision(2))} %` : x.toExponential(1));

const seconds = known((x) =>
  x < 1 ? `${Number((1000 * x).toPrecision(2))} ms` : `${Number(x.toPrecision(3))} s`);

// Fill the table with what a prediction and, once it is there, a solution say.
export function compare(prediction, solution, units) {
  const p = prediction.summary;
  const s = solution?.summary;
  const stress = units.stress ?? "";
  const truth = s?.prediction;
  const wrong = (name, part) => [name, share(truth[part]), "reference"];
  const rows = [
    ["time"],
    ["fields", seconds(p.time.solve), seconds(s?.time.solve)],
    ["preparation", seconds(p.time.setup), seconds(s && s.time.setup - s.time.compile)],
    ["iterations", "–", s ? s.iterations : "–"],
    ["error in energy"],
    ["certified", ...[p, s].map((one) => share(one?.certificate?.relative))],
    ...truth ? [wrong("true", "energy"), ["true error (nRMSE)"]] : [],
    ...truth ? ["strain", "stress"].map((name) => wrong(name, name)) : [],
    [`averages ${stress && `(${stress})`}`],
    ["energy density", short(p.energy), short(s?.energy)],
    ...Object.keys(p.mean_stress)
      .map((c) => [`stress ${c}`, mean(p.mean_stress, c), s ? mean(s.mean_stress, c) : "–"])
      .filter(([, a, b]) => a !== "0" || (s && b !== "0")),
  ];
  get("compared").tBodies[0].replaceChildren(...rows.map((cells) => cells.length > 1
    ? make("tr", {}, ...cells.map((text) => make("td", {}, text)))
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

function verdict({ iterations, prediction: { iterations: enough, seconds: spent } }) {
  const [strain, stress] = ["strain", "stress"].map((name) => enough[name] === null
    ? `its ${name} is never as good`
    : `its ${name} is as good after ${enough[name]} (${seconds(spent[name])})`);
  return `The solver took ${iterations} iterations; ${strain}, ${stress}.`;
}
