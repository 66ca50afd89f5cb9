// A quantity against the iteration: a panel per family, a line per depth or per run.

const MAX_BANDS = 2; // bands of more lines of a panel would hide each other

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
