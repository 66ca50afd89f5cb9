// A quantity against the iteration: a panel per family, a line per depth or per run.

const LOG_TICKS = [1, 3].flatMap((digit) =>
  d3.range(-4, 7).map((exponent) => Number(`${digit}e${exponent}`)),
);
const FAR_APART = 10; // families whose last values differ by such a factor need a logarithmic axis
const MAX_BANDS = 2; // bands of more lines of a panel would hide each other

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

// On a linear axis that shows one family, another one would be a flat line at 0.
function chooseFirstScale(view) {
  const ends = listEnds(listSeries(view).map((line) => ({ ...line, depth: line.family })));
  const values = ends.map((end) => end.value).filter((value) => value > 0);
  return d3.max(values) > FAR_APART * d3.min(values) ? "log" : "linear";
}

// Whether the lines of each panel are few enough for bands.
function hasBands(view) {
  const isMean = view.state.mode === "mean";
  return isMean && view.depths.filter((depth) => view.isShown(depth)).length <= MAX_BANDS;
}

function drawCurvesChart(view, series, width) {
  const families = view.families.filter((family) => view.state.families.has(family));
  const panels = document.createElement("div");
  panels.className = "chart-panels";
  if (families.length === 0) {
    panels.textContent = "No family of networks is selected.";
    return panels;
  }
  if (series.every((line) => line.points.length === 0)) {
    panels.textContent = "There is no curve to draw.";
    return panels;
  }
  const columns = width < 620 ? 1 : Math.min(families.length, width > 1100 ? 3 : 2);
  panels.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  const panelWidth = Math.floor((width - 24 * (columns - 1)) / columns);
  const vertical = findVerticalScale(view, series);
  for (const family of families) {
    const members = series.filter((line) => line.family === family);
    const panel = document.createElement("div");
    const title = document.createElement("strong");
    title.textContent = `${capitaliseFirst(family)} networks`;
    panel.append(title, drawPanel(view, family, members, vertical, panelWidth));
    panels.append(panel);
  }
  return panels;
}

// The domain and ticks of the vertical axis, which all panels share. On a logarithmic axis, what is
// not above `floor` is drawn there. A few huge losses are cut off on a linear axis.
function findVerticalScale(view, series) {
  const values = series.flatMap((line) => line.points.map((point) => point.value));
  const largest = d3.max(values) ?? 1;
  if (view.state.scale === "log") {
    const smallest = d3.min(values.filter((value) => value > 0)) ?? largest / 10;
    const floor = smallest / 1.6;
    const domain = [floor, Math.max(largest * 1.2, floor * 2)];
    const decades = Math.log10(domain[1] / domain[0]);
    const isTick = (tick) => tick >= domain[0] && tick <= domain[1];
    const ticks = LOG_TICKS.filter(isTick).filter(
      (tick) => decades < 3.5 || Number.isInteger(Math.log10(tick)),
    );
    return { type: "log", domain, ticks, floor, isCut: false };
  }
  const usual = d3.quantile(values, 0.9) ?? largest;
  const isCut = largest > 5 * usual && usual > 0;
  const bound = isCut ? usual * 1.5 : largest * 1.05;
  const top = view.quantity.unit === "%" ? Math.min(bound, 102) : bound;
  const domain = [0, Math.max(top, SMALLEST_TOP)];
  return { type: "linear", domain, ticks: d3.ticks(...domain, 5), floor: 0, isCut };
}

// Say where bands do not reach the ends of their intervals. On a logarithmic axis, what is said of
// a value of 0 holds for them.
function describeCutBands(view, series) {
  const shown = series.filter((line) => view.isShown(line.depth));
  const points = shown.flatMap((line) => line.points);
  const { domain } = findVerticalScale(view, series);
  return describeCuts("bands", points, view.quantity, domain[1]);
}

function drawPanel(view, family, members, vertical, width) {
  const height = width < 420 ? 280 : 330;
  const margin = { top: 30, right: 0, bottom: 44, left: 46 };
  const [bottom, top] = vertical.domain;
  const clamp = (value) => Math.min(Math.max(value, vertical.floor), top);
  const scale = vertical.type === "log" ? d3.scaleLog() : d3.scaleLinear();
  const y = scale.domain(vertical.domain).range([height - margin.bottom, margin.top]);
  const isolating = view.state.isolated.size > 0;
  const axisTitle = nameAxis(view.quantity);
  const shown = members.filter((line) => view.isShown(line.depth));
  const faded = isolating ? members.filter((line) => !view.isShown(line.depth)) : [];
  const labels = labelEnds(shown, (value) => y(clamp(value)), view.depths);
  margin.right = 22 + 7.5 * (d3.max(labels, (label) => label.text.length) ?? 0);
  const marks = [
    Plot.axisY(vertical.ticks, { label: axisTitle, tickFormat: formatTick, ...Y_AXIS }),
    Plot.axisX({ ticks: 4, label: "iteration", ...X_AXIS }),
    Plot.gridY(vertical.ticks, { strokeOpacity: 0.14 }),
    Plot.ruleX(view.condition.drops, { strokeDasharray: "3 4", strokeOpacity: 0.6 }),
    Plot.ruleY([bottom], { strokeOpacity: 0.5 }),
    ...faded.map((line) => markLine(line, clamp, 1, FADED)),
    ...(hasBands(view) ? shown.map((line) => markBand(line, clamp, view.quantity)) : []),
    ...shown.map((line) => markLine(line, clamp, view.state.mode === "mean" ? 2.5 : 1.5, 1)),
    ...markDepths(labels, y, height - margin.bottom, margin.top),
    markTip(shown, clamp),
  ];
  const ends = listEnds(shown);
  const label = `${axisTitle} of ${family} networks against the iteration`;
  const svg = Plot.plot({
    width,
    height,
    marginTop: margin.top,
    marginRight: margin.right,
    marginBottom: margin.bottom,
    marginLeft: margin.left,
    x: { domain: [0, view.condition.iterations.at(-1)] },
    y: { type: vertical.type, domain: vertical.domain },
    style: CHART_STYLE,
    marks,
    ariaLabel: `${label}. At the end, ${describeByFamily(ends, view.quantity)}.`,
  });
  return labelDrawing(svg);
}

function markLine(line, clamp, strokeWidth, strokeOpacity) {
  const y = (point) => clamp(point.value);
  const stroke = `var(--depth-${line.depth})`;
  return Plot.line(line.points, { x: "iteration", y, stroke, strokeWidth, strokeOpacity });
}

function markBand(line, clamp, quantity) {
  const points = line.points
    .filter((point) => point.low !== null)
    .map((point) => ({ ...point, ...cutInterval(point, quantity, Infinity) }));
  return Plot.areaY(points, {
    x: "iteration",
    y1: (point) => clamp(point.low),
    y2: (point) => clamp(point.high),
    fill: `var(--depth-${line.depth})`,
    fillOpacity: 0.12,
  });
}

function markTip(lines, clamp) {
  const points = lines.flatMap((line) => line.points);
  const y = (point) => clamp(point.value);
  const title = (point) => point.text();
  return Plot.tip(points, Plot.pointer({ x: "iteration", y, title, ...TIP_STYLE }));
}

function tabulateCurves(view, series) {
  const isShown = (line) => view.isShown(line.depth) && view.state.families.has(line.family);
  const shown = series.filter(isShown);
  const columns = ["iteration", ...shown.map((line) => line.name)];
  const values = shown.map(
    (line) => new Map(line.points.map((point) => [point.iteration, point.value])),
  );
  const rows = view.condition.iterations.map((iteration) => [
    String(iteration),
    ...values.map((byIteration) => formatNumber(byIteration.get(iteration), view.quantity)),
  ]);
  const isMean = view.state.mode === "mean" && view.hasSeveralRuns;
  const means = isMean ? ", means over the runs" : "";
  return buildTable(`${nameAxis(view.quantity)}${means}`, columns, rows);
}
