// The lines of the chart of curves: one per network, or one per run.

// The lines of the chart: one per network, or one per run. A network whose runs repeat a seed has
// no mean, but its runs are there.
function listSeries(view) {
  if (view.state.mode !== "mean") return view.runs.map((run) => traceRun(view, run));
  return view.groups.flatMap((group) => {
    if (group.curves) return [traceMean(view, group)];
    return listRunsOf(view, group).map((run) => traceRun(view, run));
  });
}

function traceMean(view, { family, depth, finished, curves, untrained }) {
  const [means, lows, highs] = curves[view.quantityIndex];
  const points = view.condition.iterations.map((iteration, index) => {
    const bounds = { low: lows[index], high: highs[index] };
    const network = { family, depth, finished, untrained };
    const point = { ...network, iteration, value: means[index], ...bounds };
    const text = () => {
      const runs = listRunsAt(view, point, index);
      const lines = describeMean({ ...point, runs }, view.quantity);
      return `iteration ${iteration}${NEWLINE}${lines}`;
    };
    return { ...point, text };
  });
  return { family, depth, name: `${family} ${depth}`, points: points.filter(isKnown) };
}

function traceRun(view, run) {
  const points = view.condition.iterations.map((iteration, index) => {
    const value = run.curves[view.quantityIndex][index];
    const text = () => describeRun(run, value, view.quantity, iteration);
    return { depth: run.depth, iteration, value, low: null, high: null, text };
  });
  const name = `${run.family} ${run.depth}, seed ${run.seed}`;
  return { family: run.family, depth: run.depth, name, points: points.filter(isKnown) };
}

function listRunsOf(view, { family, depth }) {
  return view.runs.filter((run) => run.family === family && run.depth === depth);
}

// The runs of the network of a point, with their values at its iteration.
function listRunsAt(view, point, index) {
  return listRunsOf(view, point)
    .map((run) => ({ seed: run.seed, value: run.curves[view.quantityIndex][index] }))
    .filter(isKnown);
}

function isKnown(point) {
  return point.value !== null;
}
