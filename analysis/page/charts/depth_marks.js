// The looks that both charts share, and what the chart of error against depth draws.

// What the figures' line styles and markers are here; each family's are in the data.
const DASHES = { "-": "none", "--": "7 4", "-.": "7 3 2 3" };
const SYMBOLS = {
  s: "square",
  o: "circle",
  "^": "triangle",
  D: "diamond",
  v: { draw: drawTriangleDown },
};
const FADED = 0.22; // opacity of what is not isolated
const CHART_STYLE = { fontSize: "13px", fontFamily: "inherit", background: "none" };
const TIP_STYLE = { lineHeight: 1.35, textPadding: 10 };
const Y_AXIS = { tickSize: 0, labelAnchor: "top", labelArrow: "none" };
const X_AXIS = { tickFormat: formatTick, labelAnchor: "center", labelArrow: "none" };
const SMALLEST_TOP = 1; // of a vertical axis that starts at 0, in percent or nats
// A run on the interval of its mean: its edge parts it from the bar.
const RUN_IN_MEAN = { r: 3, stroke: "var(--surface)", strokeWidth: 1.2 };
const HALO = { stroke: "var(--surface)", strokeWidth: 4 };

// A triangle of this area that stands on its point, as d3 draws the upright one.
function drawTriangleDown(context, size) {
  const y = Math.sqrt(size / (Math.sqrt(3) * 3));
  context.moveTo(0, 2 * y);
  context.lineTo(-Math.sqrt(3) * y, -y);
  context.lineTo(Math.sqrt(3) * y, -y);
  context.closePath();
}

function formatTick(value) {
  return value >= 10_000 ? `${Number((value / 1000).toPrecision(3))}k` : String(value);
}

// The largest value to which intervals are drawn: an error is at most 100 %.
function findLimit(quantity, top) {
  return quantity.unit === "%" ? Math.min(100, top) : top;
}

// The part of an interval that is drawn: no error and no loss is below 0.
function cutInterval(point, quantity, top) {
  return { low: Math.max(point.low, 0), high: Math.min(point.high, findLimit(quantity, top)) };
}

// Say where marks do not reach the ends of their intervals. `top`: that of the vertical axis.
function describeCuts(marks, points, quantity, top) {
  const limit = findLimit(quantity, top);
  const isPercentEnd = quantity.unit === "%" && limit === 100;
  const isCutAbove = points.some((point) => point.high > limit);
  const ends = points.some((point) => point.low < 0) ? ["0"] : [];
  if (isCutAbove && isPercentEnd) ends.push("100");
  const sentences = [];
  if (ends.length) {
    const at = `${joinWords(ends)}${quantity.unit === "%" ? " %" : ""}`;
    sentences.push(`${capitaliseFirst(marks)} end at ${at}, also where the interval extends further.`);
  }
  if (isCutAbove && !isPercentEnd) sentences.push(`Long ${marks} are cut off at the top.`);
  return sentences;
}

function showsChance(view, layout) {
  const { chance } = view.condition;
  return view.quantity.unit === "%" && chance !== null && chance <= layout.y.domain()[1];
}

function markChance(view, layout) {
  if (!showsChance(view, layout)) return [];
  return [Plot.ruleY([view.condition.chance], { strokeDasharray: "2 4", strokeOpacity: 0.7 })];
}

// The name of that line, which no bar may strike through.
function markChanceName(view, layout) {
  if (!showsChance(view, layout)) return [];
  const { chance } = view.condition;
  const place = { frameAnchor: "left", textAnchor: "start", dx: 4, dy: -11, y: [chance] };
  return [Plot.text([`chance (${chance} %)`], { ...place, fill: "var(--muted)", ...HALO })];
}

// The line, the points and the intervals of a family.
function markFamily(view, family, members, isMean, layout) {
  const shift = layout.shift(family);
  const color = `var(--family-${family})`;
  const { linestyle, marker } = view.looks[family];
  const [dash, symbol] = [DASHES[linestyle], SYMBOLS[marker]];
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
  const means = members.filter((point) => point.value !== null);
  const bounded = means
    .filter((point) => point.low !== null)
    .map((point) => ({ ...point, ...cutInterval(point, view.quantity, layout.top) }));
  const interval = { x: "depth", y1: "low", y2: "high", dx: shift, stroke: color, opacity };
  const fill = (point) => (point.untrained ? "var(--surface)" : color);
  return [
    Plot.line(means, { ...line, strokeWidth: 2.5 }),
    Plot.ruleX(bounded, { ...interval, strokeWidth: 1.5 }),
    Plot.dot(runs, { ...place, ...RUN_IN_MEAN, fill: color, opacity }),
    Plot.dot(means, { ...place, fill, symbol, r: 4.8, strokeWidth: 2, opacity }),
  ];
}

// The means as numbers beside their points, where there is room.
function markMeanValues(view, means, layout) {
  const cut = (point) => cutInterval(point, view.quantity, layout.top);
  const points = means
    .filter((point) => view.isShown(point.depth))
    .map((point) => ({
      x: layout.x(point.depth) + layout.shift(point.family),
      y: layout.y(point.value),
      // The interval is not written on.
      top: layout.y(point.high === null ? point.value : cut(point).high),
      bottom: layout.y(point.low === null ? point.value : cut(point).low),
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
// `points`: means, or single runs, whose names stand at the mean of the deepest.
function markFamilyNames(points, layout) {
  const ends = Array.from(d3.group(points, (point) => point.family), ([family, members]) => {
    const depth = d3.max(members, (point) => point.depth);
    const deepest = members.filter((point) => point.depth === depth);
    return { family, depth, y: layout.y(d3.mean(deepest, (point) => point.value)) };
  });
  const place = layout.areNamesOutside
    ? { x: [layout.x.domain()[1]], textAnchor: "start", dx: 6 } // where the lines of the grid end
    : { x: "depth", textAnchor: "end", dx: 8, dy: -26 };
  const bottom = layout.height - layout.margin.bottom;
  return spreadLabels(ends, layout.margin.top, bottom).map((label) =>
    Plot.text([label], {
      ...place,
      ...HALO,
      y: [layout.y.invert(label.labelY)],
      text: "family",
      fill: `var(--family-${label.family}-text)`,
      fontWeight: 700,
      fontSize: 14,
    }),
  );
}
