// The engine room, live: what the page shows is replaced by what the stream of events says.
// Without this script the page shows how things were when it was made.

const MINUTE = 120; // events
const KEPT_COMMITS = 60, KEPT_RECORDS = 40;
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
const histories = new Map(); // of commits a second, by slot; null: the worker died there
const pids = new Map();
const running = new Map(); // whether it was, by kind of job
let source = null, paused = false, retry = 0, story = null;

function make(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function put(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

function shown(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" ? value.toLocaleString("en-US") : String(value);
}

// ---- figures

function figures(state) {
  for (const node of document.querySelectorAll("[data-f]")) {
    const value = node.dataset.f.split(".").reduce((at, name) => at?.[name], state);
    put(node, shown(value) + (node.dataset.unit ?? ""));
  }
  const { holder, who } = state.lock;
  put($("holder"), holder ? `${who}, process ${holder.pid}` : "nobody just now");
  put($("since"), holder ? holder.since : "–");
  const { end, durable, applied, used, file } = state.log;
  const base = end - used;
  for (const [name, value] of Object.entries({ end, durable, applied })) {
    const width = (1000 * (value - base)) / Math.max(1, file);
    $("bar").querySelector(`.${name}`).setAttribute("width", Math.max(0, width).toFixed(1));
  }
}

// ---- workers

function cell(label, text = "", numeric = true) {
  const node = make("td", { textContent: text, className: numeric ? "number" : "" });
  node.dataset.label = label;
  return node;
}

function row(slot, name) {
  const found = $("workers").querySelector(`[data-slot="${slot}"]`);
  if (found?.lastChild.firstChild) return found;
  const label = name[0].toUpperCase() + name.slice(1);
  const made = make("tr", {},
    make("th", { scope: "row", textContent: label }),
    cell("Process", "", false), cell("Up for", "", false), cell("Requests"), cell("Commits"),
    cell("Commits a second"),
    make("td", { className: "spark-column" }, spark()));
  made.dataset.slot = slot;
  if (found) found.replaceWith(made);
  else {
    const rows = [...$("workers").rows];
    $("workers").insertBefore(made, rows.find((other) => +other.dataset.slot > slot) ?? null);
  }
  return made;
}

function spark() {
  const svg = shape("svg", { class: "spark", viewBox: `0 0 ${MINUTE} 30`, preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(shape("path", { class: "under" }), shape("path", { class: "line" }), shape("path", { class: "death" }));
  return svg;
}

function draw(svg, history, top) {
  const start = MINUTE - history.length;
  const y = (value) => (29 - (27 * value) / top).toFixed(1);
  let line = "", deaths = "";
  history.forEach((value, index) => {
    const x = start + index;
    if (value === null) deaths += `M${x} 0V30`;
    line += `${line ? "L" : "M"}${x} ${y(value ?? 0)}`;
  });
  const [under, stroke, death] = svg.children;
  stroke.setAttribute("d", line);
  under.setAttribute("d", line ? `${line}L${MINUTE - 1} 30L${start} 30Z` : "");
  death.setAttribute("d", deaths);
}

function workers(state) {
  const living = new Map(state.workers.map((worker) => [worker.slot, worker]));
  for (const slot of new Set([...living.keys(), ...pids.keys()])) {
    const worker = living.get(slot);
    const history = histories.get(slot) ?? [];
    histories.set(slot, history);
    const died = pids.get(slot) && pids.get(slot) !== worker?.pid;
    history.push(died ? null : worker ? worker.rate : 0);
    if (history.length > MINUTE) history.shift();
    pids.set(slot, worker?.pid);
    const line = row(slot, worker?.name ?? `worker ${slot + 1}`);
    line.classList.toggle("gone", !worker);
    line.classList.toggle("holds", !!worker && state.lock.holder?.pid === worker.pid);
    const values = worker
      ? [worker.pid, `${Math.max(0, Math.round(state.at - worker.since))} s`, worker.calls, worker.commits, Math.round(worker.rate)]
      : ["killed", "", "", "", ""];
    values.forEach((value, index) => put(line.cells[index + 1], index < 1 ? String(value) : shown(value)));
  }
  const top = Math.max(10, ...[...histories.values()].flat());
  for (const [slot, history] of histories) draw(row(slot, "").querySelector("svg"), history, top);
}

// ---- lists

function prepend(list, nodes, kept) {
  list.prepend(...nodes.reverse());
  while (list.children.length > kept) list.lastChild.remove();
  if (list.lastChild?.nodeType === Node.TEXT_NODE) list.lastChild.remove();
}

function commits(found, afresh) {
  if (afresh) $("commits").replaceChildren();
  const fresh = !afresh && found.length <= 3; // else the list itself moves enough
  prepend($("commits"), found.map((commit) => make("li", { className: fresh ? "fresh" : "" },
    make("code", { textContent: shown(commit.lsn) }), " ",
    make("span", { textContent: commit.changes.join(", ") + (commit.more ? ` and ${commit.more} more` : "") }))), KEPT_COMMITS);
}

function records(found, afresh) {
  if (afresh) $("records").replaceChildren();
  prepend($("records"), found.map((record) => make("li", { className: record.level },
    make("span", { className: "small", textContent: `${record.time} ${record.who}` }), " ",
    make("b", { textContent: record.event }), " ", make("span", { textContent: record.text }))), KEPT_RECORDS);
}

// ---- the experiment

function tell(told) {
  if (!told) return;
  story = told;
  const steps = told.steps.map((step) => make("li", { className: step.kind + (step.ok ? "" : " wrong-step") },
    make("span", { className: "ms", textContent: `${shown(Math.round(step.ms))} ms` }), " ", make("span", { textContent: step.text })));
  const parts = [make("h3", { textContent: `Experiment ${told.number}: ${told.label.toLowerCase()}` }), make("ol", { className: "steps" }, ...steps)];
  if (told.running) parts.push(make("p", { className: "small", textContent: "It is going on." }));
  else parts.push(make("p", { className: `verdict ${told.ok ? "good" : "bad"}`, textContent: told.title }));
  if (told.after !== undefined) {
    const file = (title, text) => {
      const content = make("pre", { tabIndex: 0, textContent: text || "(nothing)" });
      content.setAttribute("role", "region");
      content.setAttribute("aria-label", title);
      return make("div", {}, make("h4", { textContent: title }), content);
    };
    parts.push(make("div", { className: "files" }, file("Its frame in wal.log, when it died", told.frame),
      file("The end of experiments.dat, when it died", told.during), file("And after the next holder of the lock came", told.after)));
  }
  $("story").replaceChildren(...parts);
}

// ---- jobs

function job(name, state) {
  const list = $(`${name}-state`), button = document.querySelector(`[data-part="${name}"] button`);
  button.disabled = !!state?.running || button.dataset.busy === "yes";
  if (running.get(name) && !state?.running) outcome(name, "", false); // it was started, and is done
  running.set(name, !!state?.running);
  if (!state) return list.replaceChildren();
  const pairs = [["State", state.running ? `running, ${Math.max(0, Math.round(Date.now() / 1000 - state.began))} s` : state.failed ? `not available: ${state.failed}` : "done"]];
  if (state.doing) pairs.push(["So far", state.doing]);
  if (name === "torture") {
    for (const key of ["rounds", "kills", "commits", "violations"]) pairs.push([key[0].toUpperCase() + key.slice(1), shown(state[key])]);
    if (state.ended) pairs.push(["Verdict", state.told]);
  } else for (const [key, value] of Object.entries(state.found ?? {})) pairs.push([key, shown(value)]);
  list.replaceChildren(...pairs.map(([key, value]) => make("div", {}, make("dt", { textContent: key }), make("dd", { textContent: value }))));
}

// ---- the stream

function live(text, on) {
  put($("live"), text);
  $("live").className = `live ${on ? "on" : "off"}`;
}

function connect() {
  clearTimeout(retry);
  let first = true;
  source = new EventSource("/engine/events");
  source.onmessage = (event) => {
    const state = JSON.parse(event.data);
    const by = state.workers.find((worker) => worker.pid === state.by);
    live(`Live, told by ${by ? by.name : "a worker"}.`, true);
    figures(state);
    workers(state);
    commits(state.commits, first);
    records(state.records, first);
    tell(state.story);
    job("traffic", state.traffic);
    job("torture", state.torture);
    first = false;
  };
  source.onerror = () => {
    if (paused) return;
    live("The worker that told is gone, asking another one…", false);
    first = true;
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, 1500); // it was busy
  };
}

function disconnect() {
  clearTimeout(retry);
  source?.close();
}

// ---- buttons

function outcome(part, text, wrong) {
  const place = document.querySelector(`[data-outcome="${part}"]`);
  place.replaceChildren(make("p", { className: wrong ? "problem" : "small", textContent: text }));
}

async function send(form) {
  const { part } = form.dataset, button = form.querySelector("button");
  const body = new URLSearchParams(new FormData(form));
  button.disabled = true;
  button.dataset.busy = "yes";
  outcome(part, part === "kill" ? "Begun." : "", false);
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    const told = answer.headers.get("Content-Type")?.startsWith("application/json") ? await answer.json() : null;
    if (told?.refused) outcome(part, told.refused, true);
    else if (!answer.ok) outcome(part, "It was refused. Reload the page and try again.", true);
    else if (part === "kill") {
      tell(told);
      outcome(part, `${told.title} ${told.takeover_ms === undefined ? "" : `Taken over after ${told.takeover_ms} ms.`}`, told.ok !== true);
    } else outcome(part, "Started.", false);
  } catch {
    outcome(part, "The worker that answered is gone itself. What became of it is told here as soon as another one knows.", true);
  } finally {
    button.dataset.busy = "";
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll(".engine form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

$("pause").hidden = false;
$("pause").addEventListener("click", () => {
  paused = !paused;
  put($("pause"), paused ? "Go on" : "Pause");
  if (paused) {
    disconnect();
    live("Paused.", false);
  } else connect();
});
addEventListener("pagehide", disconnect);
addEventListener("pageshow", (event) => event.persisted && !paused && connect());
connect();
