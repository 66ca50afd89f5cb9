// The two charts of the page: drawn at first, and again when a control or the width changes.

const figures = {
  depth: document.getElementById("depth-chart"),
  curves: document.getElementById("curves-chart"),
};

function draw(chart) {
  const figure = figures[chart];
  const drawing = figure.querySelector(".chart-drawing");
  const view = buildView(chart);
  const width = Math.max(drawing.clientWidth, 240);
  const values = chart === "depth" ? listDepthPoints(view) : listSeries(view);
  const caption = figure.querySelector("figcaption");
  if (view.groups.length === 0) {
    drawing.replaceChildren();
    caption.textContent = "No run has finished yet.";
    return;
  }
  const drawChart = chart === "depth" ? drawDepthChart : drawCurvesChart;
  drawing.replaceChildren(drawChart(view, values, width));
  const use = document.createElement("span");
  use.className = "on-screen";
  use.textContent = describeUse(chart, view);
  caption.replaceChildren(describeChart(chart, view, values), use);
  const details = figure.querySelector("details");
  if (details.open) fillTable(chart, view, values);
}

function fillTable(chart, view, values) {
  const tabulate = chart === "depth" ? tabulateDepth : tabulateCurves;
  figures[chart].querySelector(".chart-table").replaceChildren(tabulate(view, values));
}

function refresh() {
  for (const [chart, figure] of Object.entries(figures)) {
    for (const control of figure.querySelectorAll("[data-control]")) {
      SYNCHRONISE[control.dataset.control](control, chart);
    }
    draw(chart);
  }
}

function connect(chart, figure) {
  const act = (control) => {
    ACTIONS[control.dataset.control](control, chart);
    refresh();
    announce(chart);
  };
  figure.addEventListener("change", (event) => {
    if (event.target.matches("[data-control]")) act(event.target);
  });
  figure.addEventListener("click", (event) => {
    if (event.target.matches("button[data-control]")) act(event.target);
  });
  figure.querySelector("details").addEventListener("toggle", () => draw(chart));
  for (const part of figure.querySelectorAll(".chart-controls, figcaption, details")) {
    part.hidden = false;
  }
  let width = 0;
  new ResizeObserver(([entry]) => {
    const changed = Math.round(entry.contentRect.width) !== width;
    width = Math.round(entry.contentRect.width);
    if (changed) draw(chart);
  }).observe(figure.querySelector(".chart-drawing"));
}

// A click into the chart of the depths isolates the depth that the pointer is next to.
figures.depth.querySelector(".chart-drawing").addEventListener("click", (event) => {
  const point = event.target.closest("svg")?.value;
  if (!point) return;
  isolateOnly(point.depth);
  refresh();
  announce("depth");
});

state.scale = chooseFirstScale(buildView("curves"));
for (const [chart, figure] of Object.entries(figures)) connect(chart, figure);
refresh();
