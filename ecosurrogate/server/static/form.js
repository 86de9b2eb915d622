// What is asked for: a microstructure, a model and a load.

import { get, make } from "./elements.js";
import { percent, short } from "./numbers.js";
import { ask } from "./server.js";

const COMPONENTS = ["xx", "yy", "zz", "yz", "xz", "xy"];
const READING = ["threshold", "shape", "dtype", "spacing", "axes", "dataset"];
const GENERATOR = { composites: "inclusions" }; // of a dataset's bodies, if not its kind

const form = get("ask");
const inputs = form.elements;
let models = [];
let generated = { query: "", blob: null };

export function setUp(served) {
  models = served;
  for (const { name } of models) inputs.model.add(new Option(name));
  const { kind, res } = models[0].trained_on;
  const made = [...inputs.kind.options].map(({ value }) => value);
  inputs.kind.value = made.find((name) => [kind, GENERATOR[kind]].includes(name)) ?? made[0];
  inputs.res.value = res;
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
      if (!files.length) return;
      inputs.file.files = files;
      inputs.file.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }
  showModel();
}

export const ready = () => models.length > 0;

// All that is chosen, as one text: equal texts ask for the same.
export function state() {
  const sent = [...inputs].filter(({ name, type, checked, disabled }) =>
    name && !disabled && (type !== "radio" || checked));
  return JSON.stringify(sent.map(({ name, value, files }) =>
    [name, files ? [...files].map((f) => [f.name, f.size, f.lastModified]) : value]));
}

// Which body, load and model that is, in words; `units` are those of the body.
export function describe() {
  const said = (place) => [...place.querySelectorAll("input")]
    .filter(({ name, type, value, disabled }) =>
      value && !disabled && type !== "file" && name !== "res")
    .map((input) => `${input.closest("label").firstChild.data.trim()} ${input.value}`);
  const { files: [file] } = inputs.file;
  const { files: [materials] } = inputs.materials;
  const generates = inputs.source.value === "generate";
  const body = generates ? [inputs.kind.value, ...said(get("generate"))]
    : [file?.name, materials?.name, ...said(get("file"))].filter(Boolean);
  const asked = inputs.load.value === "trained" ? card().trained_on.loads : load();
  return { body: body.join(", "), model: inputs.model.value,
    load: (units) => text(asked, units.stress) };
}

// Body and query of POST /predict.
export async function request() {
  const options = { model: inputs.model.value, ...load() };
  const body = new FormData();
  if (inputs.source.value === "generate") {
    body.append("file", await generate(), "generated.h5");
  } else {
    const [file] = inputs.file.files;
    if (!file) throw new Error("No file: choose one, or generate a microstructure.");
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
  for (const part of get("generate").querySelectorAll("[data-kind]")) {
    part.hidden = part.dataset.kind !== inputs.kind.value;
  }
  const stress = generating ? card().units.stress : "the unit of the file's stiffness";
  get("unit").textContent = `Averages over the body, tensor components: strain has no unit
    (0.001 is 0.1 %), stress is in ${stress}.`;
  // what is not seen is neither checked nor sent
  for (const input of form.querySelectorAll("input, select")) {
    if (!input.closest(".choice")) input.disabled = Boolean(input.closest("[hidden]"));
  }
}

const card = () => models.find(({ name }) => name === inputs.model.value);

function showModel() {
  const { model, backbone, parameters, scheme, law, admissible, sees_load, test, units,
    trained_on: { kind, loads, train, res, labels }, ancestors } = card();
  const before = ancestors.map(({ dataset }) => `${dataset.train} (${dataset.kind})`);
  const rows = {
    network: `${model}, ${backbone}, ${parameters.toLocaleString("en")} parameters`,
    scheme,
    "trained on": `${train} bodies (${kind}) of ${res}³ voxels`
      + (labels < res ? `, solved at ${labels}³` : "")
      + (before.length ? `; before on ${before.join(", on ")}` : ""),
    "test error": test ? `strain ${percent(test.strain)}, stress ${percent(test.stress)}`
      : "not evaluated",
    certificate: !law ? "no certificate: it knows no constitutive law" : !admissible ? "no certificate: its fields are not admissible"
      : kind === "pores" ? "no certificate: bodies with pores have none"
        : "yes, of bodies without pores",
  };
  get("card").replaceChildren(...Object.entries(rows).flatMap(
    ([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  const fixed = loads.mode === "fixed";
  const [trained, own] = inputs.load;
  trained.disabled = !fixed;
  own.disabled = !sees_load;
  inputs.load.value = fixed ? "trained" : "own";
  get("trained").textContent = fixed
    ? text(loads, units.stress) + (sees_load ? "" : "; this model predicts no other load") : "";
  for (const c of COMPONENTS) {
    const stress = fixed ? c in loads.stress : c !== "xx";
    const known = (stress ? loads.stress : loads.strain)?.[c];
    inputs[`kind_${c}`].value = stress ? "stress" : "strain";
    inputs[`value_${c}`].value = known ?? (c === "xx" ? 1e-3 : 0);
  }
  showChoices();
}

// A load as it is written beside results: what is not zero, then what is free.
function text({ strain = {}, stress = {} }, unit = "in the file's unit") {
  return [["strain", strain, ""], ["stress", stress, ` ${unit}`]].flatMap(
    ([name, values, of]) => {
      const zero = Object.keys(values).filter((c) => !values[c]);
      const parts = Object.keys(values).filter((c) => values[c])
        .map((c) => `mean ${name} ${c} = ${short(values[c])}${of}`);
      return zero.length ? [...parts, `mean ${name} ${zero.join(" ")} = 0`] : parts;
    }).join(", ");
}
