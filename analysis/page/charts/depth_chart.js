// Error after the last iteration against depth: a line per family.

const LOG_DEPTHS_FROM = 30; // the deepest network has so many times the layers of the shallowest
const BELOW_ZERO = 24; // pixels between an error of 0 and the axis, where the lower means are printed
const SIDE_ROOM = 24; // pixels beside the shallowest and the deepest networks, for their numbers
const SPACING = 12; // pixels between the marks of two families at one depth

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
    Plot.axisX(selectTicks(view.depths, layout.x, 24), {
      ...X_AXIS,
      label: "depth (layers)",
      tickSize: 3,
    }),
    Plot.gridY(layout.ticks, { strokeOpacity: 0.14 }),
    Plot.ruleY([0], { strokeOpacity: 0.5 }),
    Plot.ruleX([...view.state.isolated], { strokeWidth: 22, strokeOpacity: 0.08 }),
    ...markChance(view, layout),
  ];
  for (const [family, members] of d3.group(points, (point) => point.family)) {
    marks.push(...markFamily(view, family, members, isMean, layout));
  }
  if (isMean) marks.push(...markMeanValues(view, means, layout));
  const averaged = new Set(means.map((point) => point.family));
  const named = [...means, ...runs.filter((run) => !averaged.has(run.family))];
  marks.push(...markFamilyNames(isMean ? named : runs, layout), ...markChanceName(view, layout));
  const tips = isMean
    ? means.map((point) => ({ ...point, text: describeMean(point, view.quantity) }))
    : runs.map((run) => ({ ...run, text: describeRun(run, run.value, view.quantity) }));
  const shown = tips.filter((point) => view.isShown(point.depth));
  const tip = { x: "depth", y: "value", title: "text", ...TIP_STYLE };
  marks.push(Plot.tip(shown, Plot.pointer(tip)));
  const described = points.filter((point) => point.value !== null || point.runs.length > 0);
  const title = `${capitaliseFirst(view.quantity.label)} after the last iteration against depth`;
  const svg = Plot.plot({
    ...layout.options,
    marks,
    ariaLabel: `${title}. ${capitaliseFirst(describeByFamily(described, view.quantity))}.`,
  });
  svg.classList.add("is-clickable");
  return labelDrawing(svg);
}

// The upper end of the vertical axis: far above the values only for intervals that are so wide.
function findTop(quantity, means, runs) {
  const largest = d3.max([...means, ...runs], (point) => point.value) ?? 1;
  const highest = d3.max(means, (point) => point.high ?? point.value) ?? largest;
  const top = Math.max(largest * 1.08, Math.min(highest, largest * 2), SMALLEST_TOP);
  return quantity.unit === "%" ? Math.min(top, 104) : top;
}

// Say where bars do not reach the ends of their intervals.
function describeCutBars(view, points) {
  const means = points.filter((point) => point.value !== null);
  const runs = points.flatMap((point) => point.runs);
  return describeCuts("bars", means, view.quantity, findTop(view.quantity, means, runs));
}

// The scales and margins of the chart, and what Plot needs to know about them.
function layOutDepthChart(view, means, runs, width) {
  const height = width < 520 ? 260 : 320;
  const middle = (view.families.length - 1) / 2;
  const longest = d3.max(view.families, (family) => family.length);
  const nameWidth = 8.4 * longest + 10;
  const areNamesOutside = nameWidth < width / 4;
  const margin = { top: 28, right: areNamesOutside ? nameWidth : 20, bottom: 40, left: 40 };
  const depths = view.depths;
  const [first, last] = [depths[0], depths.at(-1)];
  const isLog = last > LOG_DEPTHS_FROM * first;
  const pad = first === last ? 1 : Math.max(0.05, SIDE_ROOM / (width - margin.left - margin.right)) * (last - first);
  const xDomain = isLog ? [first / 1.3, last * 1.3] : [first - pad, last + pad];
  const yMax = findTop(view.quantity, means, runs);
  const above = height - margin.top - margin.bottom - BELOW_ZERO;
  const yDomain = [(-yMax * BELOW_ZERO) / above, yMax];
  const x = (isLog ? d3.scaleLog() : d3.scaleLinear()).domain(xDomain);
  x.range([margin.left, width - margin.right]);
  const y = d3.scaleLinear(yDomain, [height - margin.bottom, margin.top]);
  const narrowest = d3.min(d3.pairs(depths), ([one, next]) => x(next) - x(one)) ?? width;
  const spacing = Math.min(SPACING, narrowest / (view.families.length + 1));
  return {
    x,
    y,
    shift: (family) => (view.families.indexOf(family) - middle) * spacing, // pixels to the right
    margin,
    width,
    height,
    top: yMax,
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
    const name = view.hasSeveralRuns ? "mean" : "value";
    return buildTable(caption, ["family", "depth", "runs", name, "95 % from", "to"], rows);
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
