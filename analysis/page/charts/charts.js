// The two charts of the page: their state, their controls, and what is drawn when one changes.

const data = JSON.parse(document.getElementById("chart-data").textContent);
const figures = {
  depth: document.getElementById("depth-chart"),
  curves: document.getElementById("curves-chart"),
};

// What the reader has chosen. Each chart has its own quantity; both share the rest.
const state = {
  quantity: { depth: 0, curves: 0 }, // index in data.quantities
  condition: 0, // index in data.conditions
  mode: "mean", // or "runs"
  seed: "all", // or one of data.seeds
  scale: "linear", // or "log"; see chooseFirstScale
  families: new Set(data.families),
  isolated: new Set(), // depths; if empty, all are shown
};

// What a control does to the state. `chart`: the chart that the control belongs to.
const ACTIONS = {
  quantity: (control, chart) => (state.quantity[chart] = Number(control.value)),
  condition: (control) => (state.condition = Number(control.value)),
  mode: (control) => chooseMode(control.value),
  seed: (control) => chooseSeed(control.value),
  scale: (control) => (state.scale = control.value),
  family: (control) => toggle(state.families, control.value),
  depth: (control) => toggle(state.isolated, Number(control.value)),
  "show-all": () => state.isolated.clear(),
};

// Whether a control shows the present state: its `checked`, `value` or `hidden`.
const SYNCHRONISE = {
  quantity: (control, chart) => (control.value = state.quantity[chart]),
  condition: (control) => (control.value = state.condition),
  mode: (control) => (control.checked = control.value === state.mode),
  seed: (control) => (control.value = state.seed),
  scale: (control) => (control.checked = control.value === state.scale),
  family: (control) => (control.checked = state.families.has(control.value)),
  depth: (control) => (control.checked = state.isolated.has(Number(control.value))),
  "show-all": (control) => (control.hidden = state.isolated.size === 0),
};

function toggle(set, value) {
  if (!set.delete(value)) set.add(value);
}

// A mean is always that of all seeds.
function chooseMode(mode) {
  state.mode = mode;
  if (mode === "mean") state.seed = "all";
}

function chooseSeed(seed) {
  state.seed = seed;
  if (seed !== "all") state.mode = "runs";
}

function isolateOnly(depth) {
  const isAlone = state.isolated.size === 1 && state.isolated.has(depth);
  state.isolated = new Set(isAlone ? [] : [depth]);
}

// Everything that drawing a chart depends on.
function buildView(chart) {
  const condition = data.conditions[state.condition];
  const quantityIndex = state.quantity[chart];
  const isSelected = (run) => state.seed === "all" || String(run.seed) === state.seed;
  const depths = data.depths.filter((depth) =>
    condition.groups.some((group) => group.depth === depth),
  );
  return {
    state,
    condition,
    quantityIndex,
    quantity: data.quantities[quantityIndex],
    families: data.families,
    looks: data.looks,
    depths,
    groups: condition.groups,
    hasSeveralRuns: condition.groups.some((group) => group.finished > 1),
    runs: condition.runs.filter(isSelected),
    isShown: (depth) => state.isolated.size === 0 || state.isolated.has(depth),
  };
}

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
  caption.textContent = describeChart(chart, view, values);
  const details = figure.querySelector("details");
  if (details.open) fillTable(chart, view, values);
}

function fillTable(chart, view, values) {
  const tabulate = chart === "depth" ? tabulateDepth : tabulateCurves;
  figures[chart].querySelector(".chart-table").replaceChildren(tabulate(view, values));
}

// What the lines, bars and bands are, in a caption.
function describeChart(chart, view, values) {
  const sentences = [];
  const isMean = state.mode === "mean";
  if (!view.hasSeveralRuns) sentences.push("One run per network.");
  else if (isMean) sentences.push(...describeMeans(chart, view, values));
  else sentences.push("A line per seed.");
  if (chart === "depth" && isMean) sentences.push(...describeCutBars(view, values));
  if (chart === "curves" && hasBands(view)) sentences.push(...describeCutBands(view, values));
  if (chart === "depth" && isMean && values.some((point) => point.untrained)) {
    sentences.push("Hollow: untrained, no better than guessing.");
  }
  if (chart === "depth" && view.depths.length > 1) {
    sentences.push("Click a depth to isolate it in all charts.");
  }
  if (chart === "curves" && view.condition.drops.length > 0) {
    sentences.push("Dashed vertical lines: the learning rate drops.");
  }
  if (chart === "curves" && state.scale === "log") {
    sentences.push("The axis is logarithmic: each step up multiplies the value. A value of 0 is drawn at the lower edge.");
  }
  if (chart === "curves" && findVerticalScale(view, values).isCut) {
    sentences.push("Very large values are cut off; a logarithmic axis shows them.");
  }
  if (!data.has_runs) sentences.push("There are too many runs to show each.");
  if (data.omitted_conditions > 0) {
    sentences.push(`${data.omitted_conditions} further conditions are not shown.`);
  }
  return sentences.join(" ");
}

// What the means, their intervals and their runs are drawn as. Where a seed is repeated, nothing is
// averaged.
function describeMeans(chart, view, values) {
  const [averaged, others] = [[], []];
  for (const group of view.groups) (group.final ? averaged : others).push(group);
  const sentences = averaged.length ? [describeAverages(chart, view, values, averaged)] : [];
  if (others.length) {
    const which = averaged.length ? "Where runs repeat a seed" : "Runs repeat a seed, so";
    const mark = chart === "depth" ? "dot" : "line";
    sentences.push(`${which} nothing is averaged: a ${mark} per run.`);
  }
  return sentences;
}

function describeAverages(chart, view, values, averaged) {
  const [fewest, most] = d3.extent(averaged, (group) => group.finished);
  const means = `Means over ${fewest === most ? most : `${fewest} to ${most}`} runs`;
  if (chart === "depth") {
    const dots = values.some((point) => point.runs.length > 0) ? ", dots: the runs" : "";
    return `${means}; bars: their 95 % intervals${dots}.`;
  }
  if (hasBands(view)) return `${means}; bands: their 95 % intervals.`;
  return `${means}. Isolate a depth to see its 95 % intervals.`;
}

// Say in the live region of a chart what it shows now.
function announce(chart) {
  const view = buildView(chart);
  const points = listDepthPoints(view).filter(
    (point) =>
      (point.value !== null || point.runs.length > 0) && view.isShown(point.depth) && state.families.has(point.family),
  );
  const parts = [view.quantity.label];
  if (view.condition.label) parts.push(view.condition.label);
  if (!view.hasSeveralRuns) parts.push("one run per network");
  else parts.push(state.mode === "mean" ? "means with 95 % intervals" : "every run");
  if (state.seed !== "all") parts.push(`seed ${state.seed}`);
  if (chart === "curves") parts.push(`${state.scale === "log" ? "logarithmic" : "linear"} axis`);
  if (state.isolated.size > 0) {
    parts.push(`${joinWords([...state.isolated].sort(d3.ascending).map(String))} layers isolated`);
  }
  const sentence = `${parts.join(", ")}. After the last iteration: `;
  const status = figures[chart].querySelector("[role=status]");
  status.textContent = capitaliseFirst(sentence) + describeByFamily(points, view.quantity) + ".";
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
