"use strict";
// The page of one run. Data is text: nothing here writes markup. See report/html.py for what #data holds.
const data = JSON.parse(document.getElementById("data").textContent);
const SYMBOLS = { ok: "✓", changed: "+", "would-change": "~", pending: "‖", skipped: "–", "not-started": "·", unknown: "?", unreachable: "!", failed: "×" };
const VERDICTS = { passed: "ok", failed: "failed", unknown: "unknown" };
const SHOWN = 60; // names in one list; the others are counted

const $ = (id) => document.getElementById(id);
function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== ""));
  return made;
}
const mark = (outcome, title) => h("span", { class: "mark " + outcome, title: title || outcome, role: "img", "aria-label": title || outcome }, h("b", null, SYMBOLS[outcome] || "?"));
const count = (number, word) => number + " " + word + (number === 1 ? "" : "s");
function duration(seconds) {
  if (seconds < 60) return seconds.toFixed(1) + " s";
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? minutes + " min " + String(Math.round(seconds % 60)).padStart(2, "0") + " s" : Math.floor(minutes / 60) + " h " + String(minutes % 60).padStart(2, "0") + " min";
}
const tally = (numbers) => {
  const found = {};
  for (const number of numbers) found[data.hosts[number].outcome] = (found[data.hosts[number].outcome] || 0) + 1;
  return found;
};
function stacked(counts) {
  return data.outcomes.filter((outcome) => counts[outcome]).map((outcome) => {
    const part = h("i", { class: outcome, title: counts[outcome] + " " + outcome });
    part.style.flex = counts[outcome] + " 1 0";
    return part;
  });
}
const words = (counts) => data.outcomes.filter((outcome) => counts[outcome]).map((outcome) => counts[outcome] + " " + outcome).join(", ");

// -- what is shown of the fleet
const filter = { text: "", role: "", outcomes: new Set(), only: null, order: "bad" };
const rank = new Map(data.outcomes.map((outcome, number) => [outcome, number]));
const groupOf = new Map();
data.groups.forEach((group, number) => group.hosts.forEach((host) => groupOf.set(host, number)));
const haystack = data.hosts.map((host, number) => {
  const traits = groupOf.has(number) ? Object.entries(data.groups[groupOf.get(number)].traits).flat() : [];
  return [host.name, host.outcome, host.error, host.wave ? "wave " + host.wave : "", ...host.notices, ...host.told, ...host.says, ...traits].join(" ").toLowerCase();
});
const rows = data.hosts.map(() => null);

function row(number) {
  const host = data.hosts[number];
  const cells = data.roles.map((role) => {
    const outcome = host.roles[role];
    return h("td", { class: "cell" }, outcome ? mark(outcome, role + ": " + outcome + (host.reasons[role] ? ": " + host.reasons[role] : "")) : "");
  });
  const cause = host.error || host.says.join("; ");
  return h("tr", { tabindex: -1, "data-host": number, "aria-label": host.name + ", " + host.outcome },
    h("td", { class: "cell" }, mark(host.outcome)), h("td", { class: "name" }, host.name), cells, data.columns.map((_, place) => h("td", null, host.told[place] || "")),
    data.waves.length ? h("td", { class: "number" }, host.wave || "") : null, h("td", { class: "number" }, host.seconds ? duration(host.seconds) : ""),
    h("td", { class: "cause", title: cause }, cause));
}
function matches(number) {
  const host = data.hosts[number];
  if (filter.only && !filter.only.has(number)) return false;
  const outcome = filter.role ? host.roles[filter.role] : host.outcome;
  if (filter.role && !outcome) return false;
  if (filter.outcomes.size && !filter.outcomes.has(outcome)) return false;
  return filter.text.toLowerCase().split(/\s+/).every((word) => haystack[number].includes(word));
}
const ORDERS = {
  bad: (a, b) => rank.get(data.hosts[b].outcome) - rank.get(data.hosts[a].outcome) || a - b,
  inventory: (a, b) => a - b,
  slow: (a, b) => data.hosts[b].seconds - data.hosts[a].seconds || a - b,
};
function show() {
  const found = data.hosts.map((_, number) => number).filter(matches).sort(ORDERS[filter.order]);
  const body = $("grid").tBodies[0];
  body.replaceChildren(...found.map((number) => (rows[number] = rows[number] || row(number))));
  [...body.rows].forEach((shown, position) => (shown.tabIndex = position ? -1 : 0));
  $("count").textContent = found.length === data.hosts.length ? count(found.length, "host") : found.length + " of " + count(data.hosts.length, "host");
  $("clear").hidden = !(filter.text || filter.role || filter.outcomes.size || filter.only);
  for (const tile of $("tiles").children) tile.setAttribute("aria-pressed", filter.outcomes.has(tile.dataset.outcome));
}
function move(next) {
  for (const shown of next.parentElement.rows) shown.tabIndex = shown === next ? 0 : -1;
  next.focus();
}
function clear() {
  Object.assign(filter, { text: "", role: "", only: null });
  filter.outcomes.clear();
  $("search").value = $("role").value = "";
  show();
}
function only(numbers) {
  clear();
  filter.only = new Set(numbers);
  show();
  $("fleet").scrollIntoView();
  $("grid").tBodies[0].rows[0].focus({ preventScroll: true });
}
function names(numbers) {
  const buttons = numbers.slice(0, SHOWN).map((number) => h("button", { type: "button", class: "mono", onclick: () => open(number) }, data.hosts[number].name));
  const more = numbers.length > SHOWN ? h("span", { class: "soft" }, "and " + (numbers.length - SHOWN) + " more") : null;
  return h("div", { class: "names" }, buttons, more);
}
const showThese = (numbers, what) => h("button", { type: "button", "aria-label": "Show " + count(numbers.length, "host") + (what ? ": " + what : ""), onclick: () => only(numbers) }, "Show " + count(numbers.length, "host"));
// The button stands beside the summary, and not in it: an element that opens has nothing else in it to press.
function entry(found, open, what, line, inside) {
  return h("div", { class: "entry" }, h("details", { open }, h("summary", null, mark(found.outcome), h("b", null, count(found.hosts.length, "host")), line), h("div", { class: "inside" }, inside, names(found.hosts))), showThese(found.hosts, what));
}

// -- one host
function open(number) {
  const host = data.hosts[number];
  const steps = host.steps.map(([place, outcome, seconds]) => {
    const step = data.steps[place];
    return h("tr", null, h("td", { class: "cell" }, mark(outcome)), h("td", null, step.role), h("td", null, step.step), h("td", { class: "number" }, seconds >= 0.1 ? duration(seconds) : ""), h("td", { class: "note" }, step.note));
  });
  const skipped = Object.entries(host.reasons).map(([role, reason]) => h("tr", null, h("td", { class: "cell" }, mark(host.roles[role])), h("td", null, role), h("td", { class: "note", colspan: 3 }, reason)));
  const failure = data.failures.find((found) => found.hosts.includes(number));
  const changes = data.changes.filter((found) => found.hosts.includes(number));
  const proofs = data.gpus.filter((found) => found.hosts.includes(number));
  const facts = groupOf.has(number) ? traits(data.groups[groupOf.get(number)]) : null;
  const part = (title, ...inside) => (inside.flat().some((item) => item) ? [h("h3", null, title), ...inside.flat()] : []);
  $("host").replaceChildren(
    h("div", { class: "head" }, h("h2", { id: "host-name" }, mark(host.outcome), " ", host.name), h("button", { type: "button", autofocus: true, onclick: () => $("host").close() }, "Close")),
    h("p", { class: "soft" }, host.outcome + (host.rolled_back ? ", its change was undone" : "") + (host.wave ? ", wave " + host.wave : "") + (host.seconds ? ", " + duration(host.seconds) : "")),
    ...(failure && host.error ? [h("p", { class: "bad" }, failure.cause), failure.fix ? h("p", { class: "fix" }, failure.fix) : "", failure.said ? h("pre", null, failure.said) : ""] : []),
    ...host.says.map((text) => h("p", null, text)), ...host.notices.map((text) => h("p", { class: "soft" }, "note: " + text)),
    ...part("Facts", facts), ...part("Proofs", proofs.map(proof)),
    ...part("Differences", changes.map((change) => h("details", { open: changes.length < 4 }, h("summary", null, mark(change.outcome), h("span", { class: "grow mono" }, change.role + ": " + change.step)), h("div", { class: "inside" }, change.diff.map(difference))))),
    ...part("Steps", steps.length || skipped.length ? h("table", null, h("tbody", null, steps, skipped)) : null));
  $("host").showModal();
}

// -- sections
const value = (found) => (found == null ? "(absent)" : typeof found === "string" && found.trim() === found && found ? found : JSON.stringify(found));
function difference(item) {
  if (!item.text) {
    const same = JSON.stringify(item.before) === JSON.stringify(item.after); // a secret shows only that it differs
    return h("pre", null, same ? h("span", { class: "place" }, item.key + ": " + value(item.after)) : [h("span", { class: "removed" }, "- " + item.key + ": " + value(item.before)), h("span", { class: "added" }, "+ " + item.key + ": " + value(item.after))]);
  }
  const classes = { "+": "added", "-": "removed", "@": "place" };
  return h("pre", null, item.text.replace(/\n$/, "").split("\n").map((line) => h("span", { class: /^(\+\+\+|---)/.test(line) ? "" : classes[line[0]] || "" }, line)));
}
const traits = (group) => h("div", { class: "traits" }, Object.entries(group.traits).filter(([name, found]) => found !== "none" || group.apart.includes(name)).map(([name, found]) => h("span", { class: group.apart.includes(name) ? "apart" : "" }, h("span", { class: "soft" }, name + " "), found)));
function proof(found) {
  const bad = found.levels.flatMap((level) => level.bad.map((check) => h("p", { class: "bad" }, "level " + level.level + ": " + check.cause, check.fix ? h("span", { class: "fix" }, " " + check.fix) : "")));
  return h("div", null, h("p", { class: "levels" }, found.levels.map((level) => h("span", null, mark(VERDICTS[level.verdict] || "unknown", "level " + level.level + ": " + level.verdict), " level " + level.level))), bad,
    found.warnings.map((text) => h("p", { class: "pending" }, text)));
}
function failures() {
  return data.failures.map((found, position) => {
    const cause = found.cause === "not-started" ? "not started" : found.cause;
    return entry(found, position < 3 && found.outcome !== "not-started", cause, h("span", { class: "grow" }, cause), [found.fix ? h("p", { class: "fix" }, found.fix) : "", found.said ? h("pre", null, found.said) : ""]);
  });
}
function waves() {
  if (!data.waves.length) return null;
  const whole = Math.max(data.run.seconds, 0.1);
  const lane = (title, began, seconds, counts, after) => {
    const span = h("div", { class: "span" }, stacked(counts));
    span.style.left = (100 * began) / whole + "%";
    span.style.width = Math.max(0.4, (100 * seconds) / whole) + "%";
    return h("div", { class: "lane" }, h("span", null, title), h("div", { class: "track", title: words(counts) }, span), h("span", null, after));
  };
  const first = data.waves[0].began;
  const checked = { skipped: data.hosts.length };
  const shown = data.waves.map((wave) => {
    const counts = Object.keys(wave.outcomes).length ? wave.outcomes : tally(wave.hosts);
    const gate = wave.gate === true ? h("span", { class: "ok" }, "✓ proven") : h("span", { class: "bad", title: wave.reason }, wave.gate === false ? "× " + wave.reason : "did not end");
    return lane(h("button", { type: "button", onclick: () => only(wave.hosts) }, "wave " + wave.number + " of " + wave.of + ": " + count(wave.hosts.length, "host")), wave.began, wave.seconds, counts, gate);
  });
  return [lane("check of all hosts", 0, first, checked, ""), ...shown, h("div", { class: "lane" }, h("span"), h("div", { class: "axis" }, h("span", null, "0 s"), h("span", null, duration(whole / 2)), h("span", null, duration(whole))), h("span"))];
}
function changes() {
  return data.changes.map((found) => {
    const step = found.role + ": " + found.step;
    return entry(found, false, step, [h("span", { class: "grow mono" }, step), h("span", { class: "soft" }, found.diff.map((item) => item.key).join(", "))], [found.note ? h("p", null, found.note) : "", found.diff.map(difference)]);
  });
}
function gpus() {
  return data.gpus.map((found) => h("div", { class: "card" }, h("header", null, h("b", null, found.gpus), h("span", { class: "soft" }, "driver " + found.driver + ", CUDA " + found.cuda + ", Docker " + found.docker), showThese(found.hosts)), proof(found)));
}
// Speed: of each figure a row of dots, as percent of the median of equal GPUs; who is apart has a name. The table beside says the same.
function s(tag, attributes, ...children) {
  const made = document.createElementNS($("svg").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat(Infinity));
  return made;
}
const figure = (number) => (number >= 1000 ? number.toFixed(0) : number >= 100 ? number.toFixed(1) : number.toFixed(2));
function plot(group, place) {
  const left = 170, right = 730, step = 34, top = 26, from = group.from, to = Math.max(102, ...group.figures.flatMap((row) => row.spread.map((point) => point[0]))) + 1;
  const x = (percent) => left + ((percent - from) / (to - from)) * (right - left);
  const marks = [];
  for (let percent = from; percent <= to; percent += to - from > 25 ? 10 : to - from > 12 ? 5 : 2) marks.push(percent);
  const bottom = top + group.figures.length * step;
  const bad = group.figures.reduce((sum, row) => sum + row.apart.length, 0);
  const said = group.figures.map((row) => row.name + ": median " + figure(row.median) + " " + row.unit + (row.apart.length ? ", apart: " + row.apart.map(([percent, host, gpu]) => data.hosts[host].name + " GPU " + gpu + " at " + percent + " %").join(", ") : "")).join("; ");
  const id = "plot-" + place;
  return s("svg", { viewBox: "0 0 760 " + (bottom + 24), role: "img", "aria-labelledby": id + "-title " + id + "-desc", class: "plot" },
    s("title", { id: id + "-title" }, group.group + ": " + count(group.count, "GPU") + ", " + (bad ? count(bad, "figure") + " too far under the median" : "all near the median")),
    s("desc", { id: id + "-desc" }, "Each figure as percent of the median. " + said),
    marks.map((percent) => [s("line", { x1: x(percent), x2: x(percent), y1: top - 8, y2: bottom, class: "grid" }), s("text", { x: x(percent), y: bottom + 16, class: "tick" }, percent + " %")]),
    group.figures.map((row, number) => {
      const y = top + number * step + step / 2 - 6;
      const names = row.apart.slice(0, 3).map(([, host, gpu]) => data.hosts[host].name + " GPU " + gpu).join(", ") + (row.apart.length > 3 ? " and " + (row.apart.length - 3) + " more" : "");
      return [s("text", { x: left - 12, y: y + 4, class: "name" }, row.name), row.allowed < from ? [] : s("line", { x1: x(row.allowed), x2: x(row.allowed), y1: y - 10, y2: y + 10, class: "allowed" }),
        row.spread.map(([percent, many]) => s("circle", { cx: x(percent), cy: y, r: Math.min(11, 2.5 + Math.sqrt(many)), class: "good" }, s("title", {}, row.name + ": " + count(many, "GPU") + " at " + percent + " %"))),
        row.apart.map(([percent, host, gpu, value]) => s("path", { d: "M" + x(percent) + "," + (y - 6) + "l6,6l-6,6l-6,-6z", class: "apart" }, s("title", {}, data.hosts[host].name + " GPU " + gpu + ": " + figure(value) + " " + row.unit + ", " + percent + " %"))),
        names ? s("text", { x: Math.min(x(row.apart[0][0]) - 9, right), y: y + 18, class: "who" }, names) : []];
    }));
}
function speeds() {
  const named = (host, gpu) => h("button", { type: "button", class: "mono", onclick: () => open(host) }, data.hosts[host].name + (gpu == null ? "" : " GPU " + gpu));
  return data.speed.map((group, place) => h("div", { class: "card" },
    h("header", null, h("b", null, group.group), h("span", { class: "soft" }, count(group.count, "GPU") + (group.count > 1 ? "; the line is what is allowed under the median" : "; no equal one to be held against"))),
    group.otherwise.map(([host, text]) => h("p", { class: "bad" }, named(host), " " + text)),
    h("div", { class: "speed" }, plot(group, place), h("div", { class: "scroll" }, h("table", null,
      h("caption", { class: "hidden" }, "Figures of " + group.group),
      h("thead", null, h("tr", null, ["Figure", "Median", "Lowest", "Highest", "Unit", "GPUs", "Apart"].map((title) => h("th", { scope: "col", class: /Me|Lo|Hi|GPUs/.test(title) ? "number" : "" }, title)))),
      h("tbody", null, group.figures.map((row) => h("tr", null, h("th", { scope: "row" }, row.name), [row.median, row.lowest, row.highest].map((number) => h("td", { class: "number" }, figure(number))), h("td", null, row.unit), h("td", { class: "number" }, row.count),
        h("td", null, row.apart.slice(0, SHOWN).map(([percent, host, gpu]) => h("span", { class: "failed" }, named(host, gpu), " " + percent + " % ")), row.apart.length > SHOWN ? "and " + (row.apart.length - SHOWN) + " more" : "")))))))));
}
function groups() {
  return data.groups.map((group, position) => h("div", { class: "card" },
    h("header", null, h("b", null, position ? "Differs in " + group.apart.join(", ") : "Most hosts"), h("span", { class: "soft" }, words(tally(group.hosts))), showThese(group.hosts)), traits(group), group.hosts.length <= 12 ? names(group.hosts) : ""));
}

// -- the page
function fill(id, made, title) {
  const section = $(id);
  const shown = [made].flat().filter((item) => item);
  section.hidden = !shown.length;
  if (!shown.length) return;
  if (section.querySelector(".body")) section.querySelector(".body").replaceChildren(...shown);
  $("nav").append(h("a", { href: "#" + id }, section.querySelector("h2").textContent + (title == null ? "" : " (" + title + ")")));
}
function start() {
  const all = tally(data.hosts.map((_, number) => number));
  $("title").replaceChildren("provision " + data.run.verb + ": " + (data.run.outcome || "did not end"));
  $("subtitle").textContent = count(data.hosts.length, "host") + " in " + duration(data.run.seconds) + ", begun " + data.run.started.replace("T", " ").replace("+00:00", " UTC") + ", run " + data.run.id;
  if (data.stopped) $("stop").append(h("div", { class: "banner failed" }, h("b", null, "The run stopped itself: " + data.stopped.reason + "."), h("p", null, count(data.stopped.waiting, "host") + " not started."), data.stopped.differences.map((text) => h("p", null, "What the failed hosts have and no good one has: " + text))));
  $("tiles").append(...data.outcomes.filter((outcome) => all[outcome]).map((outcome) => h("button", { type: "button", class: "tile", "data-outcome": outcome, onclick: () => { filter.outcomes.has(outcome) ? filter.outcomes.delete(outcome) : filter.outcomes.add(outcome); show(); } }, mark(outcome), h("b", null, all[outcome]), h("span", null, outcome))));
  $("bar").append(...stacked(all));
  const head = h("tr", null, h("th", { class: "cell", scope: "col" }, h("span", { class: "hidden" }, "Outcome")), h("th", { scope: "col" }, "Host"), data.roles.map((role) => h("th", { class: "cell", scope: "col" }, role)), data.columns.map((name) => h("th", { scope: "col" }, name[0] + name.slice(1).toLowerCase())), data.waves.length ? h("th", { class: "number", scope: "col" }, "Wave") : null, h("th", { class: "number", scope: "col" }, "Took"), h("th", { scope: "col" }, data.columns.length ? "To look at" : "Cause"));
  $("grid").tHead.append(head);
  $("role").parentElement.hidden = !data.roles.length;
  $("role").append(h("option", { value: "" }, "all"), ...data.roles.map((role) => h("option", null, role)));
  $("legend").append("Press / to search, arrow down to go to the hosts that are found, Enter to open one. ", ...data.outcomes.flatMap((outcome) => [mark(outcome), " " + outcome + "   "]));
  const failed = failures();
  fill("failures", failed, data.failures.reduce((sum, found) => sum + found.hosts.length, 0));
  fill("fleet", "x", data.hosts.length);
  fill("waves", waves(), data.waves.length);
  fill("changes", changes(), data.changes.length);
  fill("gpus", gpus(), data.gpus.length);
  fill("speed", speeds(), data.speed.reduce((sum, group) => sum + group.count, 0));
  fill("groups", groups(), data.groups.length);
  show();
}
$("search").addEventListener("input", (event) => { filter.text = event.target.value; show(); });
$("search").addEventListener("keydown", (event) => {
  const found = $("grid").tBodies[0].rows;
  if (!/^(ArrowDown|Enter)$/.test(event.key) || !found.length) return;
  event.preventDefault();
  move(found[0]);
  if (event.key === "Enter" && found.length === 1) open(Number(found[0].dataset.host));
});
$("role").addEventListener("change", (event) => { filter.role = event.target.value; show(); });
$("order").addEventListener("change", (event) => { filter.order = event.target.value; show(); });
$("clear").addEventListener("click", clear);
$("theme").addEventListener("click", () => { document.documentElement.dataset.theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark"; });
$("grid").addEventListener("click", (event) => { const found = event.target.closest("tr[data-host]"); if (found) open(Number(found.dataset.host)); });
$("grid").addEventListener("keydown", (event) => {
  const found = event.target.closest("tr[data-host]");
  if (!found) return;
  const body = found.parentElement, all = body.rows, place = found.sectionRowIndex;
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + 20, PageUp: place - 20, Home: 0, End: all.length - 1 }[event.key];
  if (to !== undefined) { event.preventDefault(); to < 0 && event.key === "ArrowUp" ? $("search").focus() : move(all[Math.min(all.length - 1, Math.max(0, to))]); }
  // Without preventDefault the same key would press the button that has the focus once the dialog is open.
  if (event.key === "Enter") { event.preventDefault(); open(Number(found.dataset.host)); }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|SELECT/.test(event.target.tagName) && !$("host").open) { event.preventDefault(); $("search").focus(); }
});
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
start();
function linked() {
  const name = /^#host=(.+)/.exec(location.hash);
  if (!name) return;
  const number = data.hosts.findIndex((host) => name[1] === encodeURIComponent(host.name));
  if (number >= 0) open(number);
  else $("stop").append(h("p", { class: "banner pending", role: "status" }, "This run has no host of the name in the address."));
}
addEventListener("hashchange", linked);
linked();
document.documentElement.dataset.ready = "yes";
