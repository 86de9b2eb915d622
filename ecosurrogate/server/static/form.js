// What is asked for: a microstructure, a model and a load.

import { ask } from "./server.js";

const COMPONENTS = ["xx", "yy", "zz", "yz", "xz", "xy"];
const READING = ["threshold", "shape", "dtype", "spacing", "axes", "dataset"];

const form = document.getElementById("ask");
const inputs = form.elements;
let models = [];
let generated = { query: "", blob: null };

export function setUp(served) {
  models = served;
  for (const { name } of models) inputs.model.add(new Option(name));
  const rows = document.querySelector("#load tbody");
  for (const c of COMPONENTS) {
    rows.insertAdjacentHTML("beforeend", `<tr><td>${c}</td>
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
      if (event === "drop" && e.dataTransfer.files.length) {
        inputs.file.files = e.dataTransfer.files;
      }
    });
  }
  showModel();
}

export function model() {
  return models.find(({ name }) => name === inputs.model.value);
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
  for (const input of document.querySelectorAll("#generate :is(input, select)")) {
    if (!input.closest("[hidden]")) query.append(input.name, input.value);
  }
  if (query.toString() !== generated.query) {
    const answer = await ask(`generate?${query}`, { method: "POST" });
    generated = { query: query.toString(), blob: await answer.blob() };
  }
  return generated.blob;
}

function load() {
  if (inputs.load.value === "trained") return {};
  const found = { strain: {}, stress: {} };
  for (const c of COMPONENTS) {
    found[inputs[`kind_${c}`].value][c] = Number(inputs[`value_${c}`].value);
  }
  return Object.fromEntries(
    Object.entries(found).filter(([, values]) => Object.keys(values).length));
}

function showChoices() {
  const kind = inputs.kind.value;
  const generating = inputs.source.value === "generate";
  show("generate", generating);
  show("file", !generating);
  for (const label of document.querySelectorAll("#generate [data-kind]")) {
    label.hidden = label.dataset.kind !== kind;
  }
  const own = inputs.load.value === "own";
  show("load", own);
  show("trained", !own);
  // what is not seen is neither checked nor sent
  for (const input of form.querySelectorAll("input, select")) {
    if (!input.closest(".choice")) input.disabled = Boolean(input.closest("[hidden]"));
  }
}

function showModel() {
  const card = model();
  const { kind, loads, train, res, labels } = card.trained_on;
  const percent = (x) => `${(100 * x).toPrecision(2)} %`;
  const rows = [
    ["kind", card.model],
    ["backbone", `${card.backbone}, ${card.parameters.toLocaleString("en")} parameters`],
    ["scheme", card.scheme],
    ["trained on", `${train} ${kinds(kind)} at ${res}³`
      + (labels < res ? `, solved at ${labels}³` : "")],
    ["test error", card.test
      ? `strain ${percent(card.test.strain)}, stress ${percent(card.test.stress)}`
      : "not evaluated"],
    ["certificate", card.admissible ? "yes" : "none: its fields are not admissible"],
  ];
  const list = document.getElementById("card");
  list.replaceChildren(...rows.flatMap(([name, value]) => {
    const pair = [document.createElement("dt"), document.createElement("dd")];
    [pair[0].textContent, pair[1].textContent] = [name, value];
    return pair;
  }));
  const fixed = loads.mode === "fixed";
  const [trained, own] = inputs.load;
  trained.disabled = !fixed;
  own.disabled = !card.sees_load;
  inputs.load.value = fixed ? "trained" : "own";
  document.getElementById("trained").textContent = fixed ? text(loads) : "";
  for (const c of COMPONENTS) {
    const stress = fixed ? c in loads.stress : c !== "xx";
    inputs[`kind_${c}`].value = stress ? "stress" : "strain";
    const known = stress ? loads.stress?.[c] : loads.strain?.[c];
    inputs[`value_${c}`].value = known ?? (c === "xx" ? 1e-3 : 0);
  }
  showChoices();
}

function kinds(name) {
  return name.endsWith("s") ? name : `${name}s`;
}

// A load as it is written beside results: what is not zero, then what is free.
function text({ strain = {}, stress = {} }) {
  const parts = [];
  for (const [name, values] of [["strain", strain], ["stress", stress]]) {
    const zero = [];
    for (const [c, value] of Object.entries(values)) {
      if (value) parts.push(`mean ${name} ${c} = ${value}`);
      else zero.push(c);
    }
    if (zero.length) parts.push(`mean ${name} ${zero.join(" ")} = 0`);
  }
  return parts.join(", ");
}

function show(name, visible) {
  document.getElementById(name).hidden = !visible;
}
