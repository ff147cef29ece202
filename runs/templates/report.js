"use strict";
const { charts, config, labels } = JSON.parse(document.getElementById("data").textContent);
const views = new Map();
const hidden = new Set();

async function draw(element) {
  if (views.has(element.id)) return;
  views.set(element.id, null);
  const options = { actions: false, renderer: "svg", config, logLevel: 1, tooltip: { theme: "custom" } };
  const { view } = await vegaEmbed(element, charts[element.id], options);
  views.set(element.id, view);
  element.style.minHeight = "";
  if (hidden.size) view.signal("hidden", [...hidden]).runAsync();
}

// Charts are drawn when they come near the window, and the others one after the other: a hundred at
// once would keep the page from answering. A folded part has no width before it is opened.
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) draw(target);
}, { rootMargin: "800px" });
document.querySelectorAll(".chart").forEach((element) => near.observe(element));
(async () => {
  for (const element of document.querySelectorAll(".chart")) {
    if (element.offsetWidth) await draw(element);
    await new Promise((done) => setTimeout(done));
  }
})();

function toggle(name) {
  if (!hidden.delete(name)) hidden.add(name);
  for (const button of document.querySelectorAll("button[data-condition]"))
    button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.condition)));
  for (const view of views.values()) view?.signal("hidden", [...hidden]).runAsync();
}

function cell(row, kind, value) {
  const made = row.appendChild(document.createElement(kind));
  if (kind === "td" && value && Number.isFinite(Number(value))) {
    const text = Number(value).toLocaleString("en", { maximumSignificantDigits: 6 });
    made.append(Object.assign(document.createElement("data"), { value, textContent: text }));
  } else made.textContent = value ?? "";
}

// CSV with quoted cells, as the charts hold it.
function parse(text) {
  const rows = [];
  let row = [""];
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"' && quoted && text[at + 1] === '"') row[row.length - 1] += text[at++];
    else if (letter === '"') quoted = !quoted;
    else if (letter === "," && !quoted) row.push("");
    else if (letter === "\n" && !quoted) row = (rows.push(row), [""]);
    else row[row.length - 1] += letter;
  }
  return rows;
}

// The data a chart draws, as a table with the readable names of its conditions.
function tableOf({ data, usermeta, description, title }) {
  const table = document.createElement("table");
  table.className = "sortable";
  table.createCaption().textContent = title?.text || title || description;
  const head = table.createTHead().insertRow();
  for (const heading of Object.values(usermeta.columns)) {
    cell(head, "th", "");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading;
    head.lastChild.append(button);
    head.lastChild.scope = "col";
    head.lastChild.ariaSort = "none";
  }
  const body = table.createTBody();
  const [columns, ...rows] = parse(data.values);
  for (const values of rows) {
    const row = body.insertRow();
    const read = Object.fromEntries(columns.map((column, at) => [column, values[at]]));
    const named = { ...read, condition: labels[read.c], other: labels[read.d] };
    for (const column of Object.keys(usermeta.columns)) cell(row, "td", named[column]);
  }
  return table;
}

// Tables of figures are made when they are asked for: written out they would be half the page.
function fill(fold) {
  if (!fold.open || fold.querySelector("table")) return;
  const place = document.createElement("div");
  place.className = "scroll";
  place.append(...fold.dataset.charts.split(" ").map((name) => tableOf(charts[name])));
  fold.append(place);
}
document.querySelectorAll("details.numbers").forEach((fold) => {
  fold.addEventListener("toggle", () => fill(fold));
});

function sort(button) {
  const head = button.closest("th");
  const body = head.closest("table").tBodies[0];
  const column = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  const key = (row) => {
    const place = row.cells[column];
    const text = place.querySelector("data")?.value ?? place.textContent.replaceAll(",", "").trim();
    return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
  };
  const order = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const both = typeof x === "number" && typeof y === "number";
    return (down ? -1 : 1) * (both ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
  };
  body.append(...[...body.rows].sort(order));
  for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
}

document.addEventListener("click", ({ target }) => {
  const condition = target.closest("button[data-condition]");
  if (condition) toggle(condition.dataset.condition);
  const heading = target.closest("table.sortable th button");
  if (heading) sort(heading);
});

addEventListener("beforeprint", () => {
  document.querySelectorAll("details:not(.numbers)").forEach((fold) => { fold.open = true; });
  document.querySelectorAll(".chart").forEach(draw);
});
