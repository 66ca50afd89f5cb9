// What the reader has chosen, what the controls do to it, and what drawing a chart depends on.

const data = JSON.parse(document.getElementById("chart-data").textContent);

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
