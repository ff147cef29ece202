"use strict";
const { charts, config } = JSON.parse(document.getElementById("data").textContent);
const views = new Map();
const hidden = new Set();

async function draw(element) {
  if (views.has(element.id)) return;
  views.set(element.id, null);
  const options = { actions: false, renderer: "svg", config, logLevel: 1, tooltip: { theme: "custom" } };
  const { view } = await vegaEmbed(element, charts[element.id], options);
  views.set(element.id, view);
  if (hidden.size) view.signal("hidden", [...hidden]).runAsync();
}

// Charts in a folded part have no width yet: they are drawn when it is opened, or for print.
const drawAll = (part) => part.querySelectorAll(".chart").forEach((element) => {
  if (!element.closest("details:not([open])")) draw(element);
});
document.querySelectorAll("details").forEach((fold) => {
  fold.addEventListener("toggle", () => drawAll(fold));
});
drawAll(document);

function toggle(name) {
  if (!hidden.delete(name)) hidden.add(name);
  for (const button of document.querySelectorAll("button[data-condition]"))
    button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.condition)));
  for (const view of views.values()) view?.signal("hidden", [...hidden]).runAsync();
}
document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-condition]");
  if (button) toggle(button.dataset.condition);
});

addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  drawAll(document);
});
