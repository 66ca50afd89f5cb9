// Error after the last iteration against depth: a line per family.

const FAMILY_LOOKS = {
  plain: { dash: "7 4", symbol: "square" },
  residual: { dash: "none", symbol: "circle" },
  constructed: { dash: "7 3 2 3", symbol: "triangle" },
  "plain-preactivation": { dash: "7 4", symbol: "diamond" },
  preactivation: { dash: "none", symbol: "diamond" },
};
const LOG_DEPTHS_FROM = 30; // the deepest network has so many times the layers of the shallowest
const CHART_STYLE = { fontSize: "13px", fontFamily: "inherit", background: "none" };
const TIP_STYLE = { lineHeight: 1.35, textPadding: 10 };
const Y_AXIS = { tickSize: 0, labelAnchor: "top", labelArrow: "none" };
const X_AXIS = { tickFormat: formatTick, labelAnchor: "center", labelArrow: "none" };
const SMALLEST_TOP = 1; // of a vertical axis that starts at 0, in percent or nats
const FADED = 0.22; // opacity of what is not isolated

function formatTick(value) {
  return value >= 10_000 ? `${Number((value / 1000).toPrecision(3))}k` : String(value);
}

// The values of the chart: one point per network, with its runs.
function listDepthPoints(view) {
  const runsOf = d3.group(
    view.runs.map((run) => ({ ...run, value: run.final[view.quantityIndex] })),
    (run) => `${run.family} ${run.depth}`,
  );
  return view.groups.map((group) => {
    const [value, low, high, lowest, highest] = group.final?.[view.quantityIndex] ?? [];
    const runs = (runsOf.get(`${group.family} ${group.depth}`) ?? []).filter(
      (run) => run.value !== null,
    );
    const { family, depth, finished, untrained } = group;
    const summary = { value: value ?? null, low: low ?? null, high: high ?? null };
    return { family, depth, finished, untrained, ...summary, lowest, highest, runs };
  });
}

function drawDepthChart(view, points, width) {
  const isMean = view.state.mode === "mean";
  const means = points.filter((point) => point.value !== null);
  const runs = points.flatMap((point) => point.runs);
  const layout = layOutDepthChart(view, means, runs, width);
  const marks = [
    Plot.axisY(layout.ticks, { label: nameAxis(view.quantity), ...Y_AXIS }),
    Plot.axisX(selectTicks(view.depths, layout.x, 24), { label: "depth (layers)", ...X_AXIS }),
    Plot.gridY(layout.ticks, { strokeOpacity: 0.14 }),
    Plot.ruleY([0], { strokeOpacity: 0.5 }),
    Plot.ruleX([...view.state.isolated], { strokeWidth: 22, strokeOpacity: 0.08 }),
    ...markChance(view, layout),
  ];
  for (const [family, members] of d3.group(means, (point) => point.family)) {
    marks.push(...markFamily(view, family, members, isMean, layout));
  }
  if (isMean) marks.push(...markMeanValues(view, means, layout));
  marks.push(...markFamilyNames(means, layout));
  const tips = isMean
    ? means.map((point) => ({ ...point, text: describeMean(point, view.quantity) }))
    : runs.map((run) => ({ ...run, text: describeRun(run, run.value, view.quantity) }));
  const shown = tips.filter((point) => view.isShown(point.depth));
  const tip = { x: "depth", y: "value", title: "text", ...TIP_STYLE };
  marks.push(Plot.tip(shown, Plot.pointer(tip)));
  const title = `${capitaliseFirst(view.quantity.label)} after the last iteration against depth`;
  const svg = Plot.plot({
    ...layout.options,
    marks,
    ariaLabel: `${title}. ${capitaliseFirst(describeByFamily(means, view.quantity))}.`,
  });
  svg.classList.add("is-clickable");
  return labelDrawing(svg);
}

// The scales and margins of the chart, and what Plot needs to know about them.
function layOutDepthChart(view, means, runs, width) {
  const height = width < 520 ? 260 : 320;
  const middle = (view.families.length - 1) / 2;
  const longest = d3.max(view.families, (family) => family.length);
  const nameWidth = 8.4 * longest + middle * 6 + 18;
  const areNamesOutside = nameWidth < width / 4;
  const margin = { top: 28, right: areNamesOutside ? nameWidth : 20, bottom: 44, left: 40 };
  const depths = view.depths;
  const [first, last] = [depths[0], depths.at(-1)];
  const isLog = last > LOG_DEPTHS_FROM * first;
  const pad = first === last ? 1 : 0.05 * (last - first);
  const xDomain = isLog ? [first / 1.3, last * 1.3] : [first - pad, last + pad];
  const largest = d3.max([...means, ...runs], (point) => point.value) ?? 1;
  const highest = d3.max(means, (point) => point.high ?? point.value) ?? largest;
  const top = Math.max(largest * 1.08, Math.min(highest, largest * 2), SMALLEST_TOP);
  const yMax = view.quantity.unit === "%" ? Math.min(top, 104) : top;
  const yDomain = [-0.13 * yMax, yMax];
  const x = (isLog ? d3.scaleLog() : d3.scaleLinear()).domain(xDomain);
  x.range([margin.left, width - margin.right]);
  const y = d3.scaleLinear(yDomain, [height - margin.bottom, margin.top]);
  return {
    x,
    y,
    largestShift: middle * 6,
    shift: (family) => (view.families.indexOf(family) - middle) * 6, // pixels to the right
    margin,
    width,
    height,
    areNamesOutside,
    ticks: d3.ticks(0, yMax, 5).filter((tick) => tick <= yMax),
    options: {
      width,
      height,
      marginTop: margin.top,
      marginRight: margin.right,
      marginBottom: margin.bottom,
      marginLeft: margin.left,
      x: {
        type: isLog ? "log" : "linear",
        domain: xDomain,
      },
      y: { domain: yDomain },
      style: CHART_STYLE,
    },
  };
}

function markChance(view, layout) {
  const { chance } = view.condition;
  const isVisible = view.quantity.unit === "%" && chance !== null && chance <= layout.y.domain()[1];
  if (!isVisible) return [];
  const text = `guessing (${chance} %)`;
  const place = { frameAnchor: "left", textAnchor: "start", dx: 4, dy: -8, y: [chance] };
  return [
    Plot.ruleY([chance], { strokeDasharray: "2 4", strokeOpacity: 0.7 }),
    Plot.text([text], { ...place, fill: "var(--muted)", ...HALO }),
  ];
}

const HALO = { stroke: "var(--surface)", strokeWidth: 4 };

// The line, the points and the intervals of a family.
function markFamily(view, family, members, isMean, layout) {
  const shift = layout.shift(family);
  const color = `var(--family-${family})`;
  const { dash, symbol } = FAMILY_LOOKS[family];
  const opacity = (point) => (view.isShown(point.depth) ? 1 : FADED);
  const place = { x: "depth", y: "value", dx: shift, stroke: color };
  const runs = members.flatMap((point) => point.runs);
  const isolating = view.state.isolated.size > 0;
  const line = { ...place, strokeDasharray: dash, strokeOpacity: isolating ? 0.4 : 1 };
  if (!isMean) {
    const crosses = runs.filter((run) => run.state === "diverged");
    const points = runs.filter((run) => run.state !== "diverged");
    return [
      Plot.line(runs, { ...line, z: "seed", strokeWidth: 1.2 }),
      Plot.dot(points, { ...place, fill: color, symbol, r: 4, opacity }),
      Plot.dot(crosses, { ...place, symbol: "times", r: 5, strokeWidth: 2, opacity }),
    ];
  }
  const [bottom, top] = [0, layout.y.domain()[1]];
  const bounded = members
    .filter((point) => point.low !== null)
    .map((point) => ({
      ...point,
      low: Math.max(point.low, bottom),
      high: Math.min(point.high, top),
    }));
  const interval = { x: "depth", y1: "low", y2: "high", dx: shift, stroke: color, opacity };
  const fill = (point) => (point.untrained ? "var(--surface)" : color);
  return [
    Plot.line(members, { ...line, strokeWidth: 2.5 }),
    Plot.dot(runs, { ...place, stroke: null, fill: color, r: 2.5, fillOpacity: 0.5, opacity }),
    Plot.ruleX(bounded, { ...interval, strokeWidth: 2 }),
    Plot.dot(members, { ...place, fill, symbol, r: 5.5, strokeWidth: 2, opacity }),
  ];
}

// The means as numbers beside their points, where there is room.
function markMeanValues(view, means, layout) {
  const points = means
    .filter((point) => view.isShown(point.depth))
    .map((point) => ({
      x: layout.x(point.depth) + layout.shift(point.family),
      y: layout.y(point.value),
      // The interval is not written on.
      top: layout.y(Math.min(point.high ?? point.value, layout.y.domain()[1])),
      bottom: layout.y(Math.max(point.low ?? point.value, 0)),
      // The lower of two networks has its number below.
      prefersBelow: means.some(
        (other) => other.depth === point.depth && other.value > point.value,
      ),
      family: point.family,
      text: view.quantity.unit === "%" ? point.value.toFixed(1) : point.value.toPrecision(2),
    }));
  const { margin, height } = layout;
  const room = { left: margin.left, top: margin.top - 8, bottom: height - margin.bottom };
  const placed = placeValues(points, room);
  return Array.from(d3.group(placed, (point) => point.family), ([family, members]) =>
    Plot.text(members, {
      x: (point) => layout.x.invert(point.labelX),
      y: (point) => layout.y.invert(point.labelY),
      text: "text",
      fill: `var(--family-${family}-text)`,
      ...HALO,
    }),
  );
}

// The families' names at the ends of their lines.
function markFamilyNames(means, layout) {
  const ends = Array.from(d3.group(means, (point) => point.family), ([family, members]) => {
    const end = members.at(-1);
    return { family, depth: end.depth, y: layout.y(end.value) };
  });
  const place = layout.areNamesOutside
    ? { textAnchor: "start", dx: 13 + layout.largestShift }
    : { textAnchor: "end", dx: 8, dy: -26 };
  const bottom = layout.height - layout.margin.bottom;
  return spreadLabels(ends, layout.margin.top, bottom).map((label) =>
    Plot.text([label], {
      ...place,
      ...HALO,
      x: "depth",
      y: layout.y.invert(label.labelY),
      text: "family",
      fill: `var(--family-${label.family}-text)`,
      fontWeight: 700,
      fontSize: 14,
    }),
  );
}

function tabulateDepth(view, points) {
  const { quantity } = view;
  const caption = `${nameAxis(quantity)} after the last iteration`;
  if (view.state.mode === "mean") {
    const rows = points
      .filter((point) => view.isShown(point.depth))
      .map((point) => [
        point.family,
        String(point.depth),
        String(point.finished),
        ...[point.value, point.low, point.high].map((value) => formatNumber(value, quantity)),
      ]);
    const columns = ["family", "depth", "runs", "mean", "95 % from", "to"];
    return buildTable(caption, columns, rows);
  }
  const rows = points
    .flatMap((point) => point.runs)
    .filter((run) => view.isShown(run.depth))
    .map((run) => [
      run.id,
      run.family,
      String(run.depth),
      String(run.seed),
      formatNumber(run.value, quantity),
      run.state,
    ]);
  return buildTable(caption, ["run", "family", "depth", "seed", "value", "state"], rows);
}
