// Requests to the server: what it refuses becomes an error of one line, work a job.

import { get, make } from "./elements.js";

// Options of the command line, as the page calls them.
const WORDS = {
  res: "the voxels per axis", materials: "a materials file", dataset: "array in the file",
  shape: "shape of .raw", dtype: "type of .raw", threshold: "a threshold",
  axes: "order of the axes",
};
const OPTION = /--([a-z][a-z-]*)( (?:[A-Z]+\b|materials\.toml))?/g;
// what cannot be done here: other commands and options, routes for programs
const ELSEWHERE = /--|\b(fftmech|ecosr|pip) [a-z]|\b(GET|POST) |\/(docs|openapi|jobs)|Content-Type/;

// A message of the server in the words of the page.
export function reworded({ error, expected, mend }) {
  const inPage = (text = "") => text
    .replace(/,? \([^()]*(--|fftmech |ecosr )[^()]*\)/g, "")
    .replace(OPTION, (whole, name) => WORDS[name] ?? whole);
  const advice = inPage(mend);
  const parts = [error, expected && `expected ${expected}`].filter(Boolean)
    .map((text) => inPage(text).replaceAll("--", ""));
  return [...parts, !ELSEWHERE.test(advice) && advice].filter(Boolean).join("; ");
}

class Refused extends Error {
  constructor(told) {
    super(reworded(told));
  }
}

export class Cancelled extends Error {}

const PATIENCE = 5; // times that a busy server is asked again
const POLL = [100, 1000]; // ms between two looks at a job, at first and at most

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let token = sessionStorage.getItem("token") ?? "";

// The answer to a request, if it is a good one.
export async function ask(path, how = {}) {
  for (let times = 0; ; times++) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const answer = await fetch(path, { ...how, headers }).catch(() => {
      throw new Refused({ error: "the server does not answer", mend: "is it running?" });
    });
    if (answer.ok) return answer;
    const later = answer.headers.get("Retry-After");
    if (answer.status === 401) await askForToken();
    else if (later && times < PATIENCE) await sleep(1000 * Number(later));
    else if (answer.status === 404 && path.startsWith("jobs/")) {
      throw new Refused({ error: "the server no longer has this result", mend: "predict again" });
    } else throw new Refused(await answer.json().catch(() => ({ error: answer.statusText })));
  }
}

export const json = async (path, how) => (await ask(path, how)).json();

// Begin work, call `report` with its job now and then, return the job when it is done.
export async function work(path, how, report) {
  let job = await json(path, how);
  for (let pause = POLL[0]; ["queued", "running"].includes(job.state);) {
    report(job);
    await sleep(pause);
    pause = Math.min(1.3 * pause, POLL[1]);
    job = await json(`jobs/${job.id}`);
  }
  if (job.state === "cancelled") throw new Cancelled();
  if (job.state === "failed") throw new Refused(job);
  return job;
}

// Cancel a job, or have the server forget it.
export function drop(job) {
  return ask(`jobs/${job.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

export async function save(job, name) {
  const blob = await (await ask(`jobs/${job.id}/result`)).blob();
  const href = URL.createObjectURL(blob);
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

function askForToken() {
  const dialog = get("token");
  dialog.querySelector("[role=alert]").hidden = !token;
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      token = dialog.querySelector("input").value.trim();
      sessionStorage.setItem("token", token);
      resolve();
    }, { once: true });
  });
}
