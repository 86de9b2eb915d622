// What is asked for: a microstructure, a model and a load.

import { get, make } from "./elements.js";
import { ask } from "./server.js";

const COMPONENTS = ["xx", "yy", "zz", "yz", "xz", "xy"];
const READING = ["threshold", "shape", "dtype", "spacing", "axes", "dataset"];

const form = get("ask");
const inputs = form.elements;
let models = [];
let generated = { query: "", blob: null };

export function setUp(served) {
  models = served;
  for (const { name } of models) inputs.model.add(new Option(name));
  for (const c of COMPONENTS) {
    get("load").tBodies[0].insertAdjacentHTML("beforeend", `<tr><td>${c}</td>
      <td><select name="kind_${c}" aria-label="what is prescribed of ${c}">
        <option>strain</option><option>stress</option></select></td>
      <td><input name="value_${c}" type="number" step="any" required
        aria-label="value of ${c}"></td></tr>`);
  }
  form.addEventListener("change", showChoices);
  inputs.model.addEventListener("change", showModel);
  const drop = document.querySelector(".drop");
  for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(event, (e) => {
      e.preventDefault();
      drop.classList.toggle("over", over);
      const files = event === "drop" ? e.dataTransfer.files : [];
      if (files.length) inputs.file.files = files;
    });
  }
  showModel();
}

// Body and query of POST /predict.
export async function request() {
  const options = { model: inputs.model.value, ...load() };
  const body = new FormData();
  if (inputs.source.value === "generate") {
    body.append("file", await generate(), "generated.h5");
  } else {
    const [file] = inputs.file.files;
    if (!file) throw new Error("no file: choose one, or generate a microstructure");
    body.append("file", file, file.name);
    const [materials] = inputs.materials.files;
    if (materials) body.append("materials", materials, "materials.toml");
    for (const name of READING) {
      if (inputs[name].value) options[name] = inputs[name].value;
    }
    if (inputs.res_file.value) options.res = inputs.res_file.value;
  }
  body.append("options", JSON.stringify(options));
  return { method: "POST", body };
}

// A microstructure of the server's generators; the last one is kept.
async function generate() {
  const query = new URLSearchParams();
  for (const input of get("generate").querySelectorAll("input, select")) {
    if (!input.closest("[hidden]")) query.append(input.name, input.value);
  }
  if (query.toString() !== generated.query) {
    const answer = await ask(`generate?${query}`, { method: "POST" });
    generated = { query: query.toString(), blob: await answer.blob() };
  }
  return generated.blob;
}

function load() {
  const found = {};
  if (inputs.load.value === "trained") return found;
  for (const c of COMPONENTS) {
    (found[inputs[`kind_${c}`].value] ??= {})[c] = Number(inputs[`value_${c}`].value);
  }
  return found;
}

function showChoices() {
  const generating = inputs.source.value === "generate";
  const own = inputs.load.value === "own";
  const shown = { generate: generating, file: !generating, load: own, trained: !own };
  for (const [id, visible] of Object.entries(shown)) get(id).hidden = !visible;
  for (const label of get("generate").querySelectorAll("[data-kind]")) {
    label.hidden = label.dataset.kind !== inputs.kind.value;
  }
  // what is not seen is neither checked nor sent
  for (const input of form.querySelectorAll("input, select")) {
    if (!input.closest(".choice")) input.disabled = Boolean(input.closest("[hidden]"));
  }
}

function showModel() {
  const card = models.find(({ name }) => name === inputs.model.value);
  const { kind, loads, train, res, labels } = card.trained_on;
  const percent = (x) => `${(100 * x).toPrecision(2)} %`;
  const rows = {
    kind: card.model,
    backbone: `${card.backbone}, ${card.parameters.toLocaleString("en")} parameters`,
    scheme: card.scheme,
    "trained on": `${train} ${kind.replace(/s?$/, "s")} at ${res}³`
      + (labels < res ? `, solved at ${labels}³` : ""),
    "test error": card.test
      ? `strain ${percent(card.test.strain)}, stress ${percent(card.test.stress)}`
      : "not evaluated",
    certificate: card.admissible ? "yes" : "none: its fields are not admissible",
  };
  get("card").replaceChildren(...Object.entries(rows).flatMap(
    ([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  const fixed = loads.mode === "fixed";
  const [trained, own] = inputs.load;
  trained.disabled = !fixed;
  own.disabled = !card.sees_load;
  inputs.load.value = fixed ? "trained" : "own";
  get("trained").textContent = fixed ? text(loads) : "";
  for (const c of COMPONENTS) {
    const stress = fixed ? c in loads.stress : c !== "xx";
    const known = (stress ? loads.stress : loads.strain)?.[c];
    inputs[`kind_${c}`].value = stress ? "stress" : "strain";
    inputs[`value_${c}`].value = known ?? (c === "xx" ? 1e-3 : 0);
  }
  showChoices();
}

// A load as it is written beside results: what is not zero, then what is free.
function text({ strain = {}, stress = {} }) {
  return Object.entries({ strain, stress }).flatMap(([name, values]) => {
    const zero = Object.keys(values).filter((c) => !values[c]);
    const parts = Object.keys(values).filter((c) => values[c])
      .map((c) => `mean ${name} ${c} = ${values[c]}`);
    return zero.length ? [...parts, `mean ${name} ${zero.join(" ")} = 0`] : parts;
  }).join(", ");
}
