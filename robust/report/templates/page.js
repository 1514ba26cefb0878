"use strict";

// Charts take the page's colours, and are drawn when they are first expanded.
const dark = matchMedia("(prefers-color-scheme: dark)");

function theme() {
  const style = getComputedStyle(document.documentElement);
  const [ink, quiet, line] = ["--ink", "--quiet", "--line"].map((name) => style.getPropertyValue(name).trim());
  const words = { labelColor: ink, titleColor: quiet, labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal" };
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    axis: { ...words, domainColor: line, tickColor: line, gridColor: line },
    legend: { ...words, orient: "top", symbolSize: 80, labelFontSize: 12 },
    view: { stroke: line },
    text: { color: ink },
    range: {
      // Okabe & Ito's colours, lighter in dark mode
      category: dark.matches
        ? ["#56b4e9", "#f0a040", "#3fc7a0", "#e08fc0", "#f0e442", "#ff8a5c", "#9fb4ff", "#c0c6cd"]
        : ["#0072b2", "#d55e00", "#00855f", "#b0507f", "#7a6a00", "#5b3fa8", "#56a0d3", "#555c63"],
      // text is legible on every shade, so that counts need no separate colour
      heatmap: dark.matches ? ["#1c2733", "#1f6fbf"] : ["#ebf3fb", "#4f9fe0"],
    },
  };
}

function draw(chart) {
  const spec = JSON.parse(chart.nextElementSibling.textContent);
  const crowded = chart.nextElementSibling.textContent.length > 100000;
  const options = { actions: false, renderer: crowded ? "canvas" : "svg", config: theme() };
  options.tooltip = { theme: dark.matches ? "dark" : "light" };
  vegaEmbed(chart, spec, options).catch((error) => { chart.textContent = String(error); });
}

for (const chart of document.querySelectorAll(".chart")) {
  const fold = chart.closest("details");
  if (!fold || fold.open) draw(chart);
  else fold.addEventListener("toggle", () => draw(chart), { once: true });
}
dark.addEventListener("change", () => document.querySelectorAll(".chart.vega-embed").forEach(draw));

// The table of all values: a click on a heading sorts, the search field filters.
const body = document.querySelector(".values tbody");
const rows = [...body.rows];

document.querySelector("#filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const row of rows) {
    const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
});

document.querySelectorAll(".values th").forEach((head, column) => head.addEventListener("click", () => {
  const descending = head.ariaSort === "ascending";
  document.querySelectorAll(".values th").forEach((other) => other.removeAttribute("aria-sort"));
  head.ariaSort = descending ? "descending" : "ascending";
  body.append(...rows.sort((a, b) => (descending ? -1 : 1) * compare(a.cells[column], b.cells[column])));
}));

function compare(a, b) {
  if (a.dataset.key && b.dataset.key) return a.dataset.key - b.dataset.key;
  return a.textContent.localeCompare(b.textContent);
}
