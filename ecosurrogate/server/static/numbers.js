// Numbers and the table that sets surrogate and solver side by side.

export function short(x) {
  if (x === null || x === undefined) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  return size >= 1e-3 && size < 1e5 ? String(Number(x.toPrecision(4))) : x.toExponential(2);
}

export function share(x) {
  if (x === null || x === undefined) return "–";
  return x >= 1e-4 ? `${Number((100 * x).toPrecision(2))} %` : x.toExponential(1);
}

function seconds(x) {
  if (x === null || x === undefined) return "–";
  return x < 1 ? `${Number((1000 * x).toPrecision(2))} ms` : `${Number(x.toPrecision(3))} s`;
}

// Fill the table with what a prediction and, once it is there, a solution say.
export function compare(prediction, solution, units) {
  const p = prediction.summary;
  const s = solution?.summary;
  const stress = units.stress ?? "";
  const truth = s?.prediction;
  const rows = [
    ["time"],
    ["fields", seconds(p.time.solve), seconds(s?.time.solve)],
    ["preparation", seconds(p.time.setup), seconds(s && s.time.setup - s.time.compile)],
    ["iterations", "–", s ? s.iterations : "–"],
    ["error in energy"],
    ["certified", certified(p), certified(s)],
    ...truth ? [["true", share(truth.energy), "reference"]] : [],
    ...truth ? [
      ["true error (nRMSE)"],
      ["strain", share(truth.strain), "reference"],
      ["stress", share(truth.stress), "reference"],
    ] : [],
    [`averages ${stress && `(${stress})`}`],
    ["energy density", short(p.energy), short(s?.energy)],
    ...Object.keys(p.mean_stress)
      .map((c) => [`stress ${c}`, mean(p.mean_stress, c), s ? mean(s.mean_stress, c) : "–"])
      .filter(([, a, b]) => a !== "0" || (s && b !== "0")),
  ];
  const body = document.querySelector("#compared tbody");
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    if (cells.length === 1) row.className = "group";
    for (const cell of cells) row.insertCell().textContent = cell;
    if (cells.length === 1) row.cells[0].colSpan = 3;
    return row;
  }));
  document.getElementById("verdict").textContent =
    [reason(p), truth ? verdict(s) : ""].filter(Boolean).join(" ");
}

// Rounding beside the largest component is zero.
function mean(values, c) {
  const largest = Math.max(...Object.values(values).map(Math.abs));
  return Math.abs(values[c]) < 1e-5 * largest ? "0" : short(values[c]);
}

function certified(summary) {
  return summary ? share(summary.certificate?.relative ?? null) : "–";
}

function reason({ certificate }) {
  return certificate?.relative == null && certificate?.reason
    ? `No certificate: ${certificate.reason}.` : "";
}

function verdict({ iterations, prediction: { iterations: enough, seconds: spent } }) {
  const part = (name) => enough[name] === null
    ? `its ${name} is never as good`
    : `its ${name} is as good after ${enough[name]} (${seconds(spent[name])})`;
  return `The solver took ${iterations} iterations; ${part("strain")}, ${part("stress")}.`;
}
