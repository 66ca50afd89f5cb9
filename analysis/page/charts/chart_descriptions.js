// What a chart shows, in words: its caption, and what it says to a screen reader when it changes.

const VISIBLE_BAR = 0.02; // of the highest value shown: a shorter bar is hidden by its mark

// What the lines, bars and bands are, in a caption.
function describeChart(chart, view, values) {
  const sentences = [];
  const isMean = state.mode === "mean";
  if (!view.hasSeveralRuns) sentences.push("One run per network.");
  else if (isMean) sentences.push(...describeMeans(chart, view, values));
  else sentences.push("A line per seed.");
  if (chart === "depth" && isMean) sentences.push(...describeCutBars(view, values));
  if (chart === "curves" && hasBands(view)) sentences.push(...describeCutBands(view, values));
  if (chart === "depth" && isMean && hasBarOfEqualRuns(values)) {
    sentences.push("Runs with equal errors have a bar too: no spread counts as smaller than that of rounding to one image.");
  }
  if (chart === "depth" && isMean && values.some((point) => point.untrained)) {
    sentences.push("Hollow: no better than chance.");
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

// What can be done with a chart, which is of no use on paper.
function describeUse(chart, view) {
  const canIsolate = chart === "depth" && view.depths.length > 1;
  return canIsolate ? " Click a depth to isolate it in all charts." : "";
}

// Whether a bar that can be seen shows the resolution of errors that do not differ.
function hasBarOfEqualRuns(values) {
  const visible = VISIBLE_BAR * d3.max(values, (point) => point.high ?? point.value ?? 0);
  return values.some(
    (point) => point.finished > 1 && point.lowest === point.highest && point.high - point.low > visible,
  );
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
  const status = document.getElementById(`${chart}-chart`).querySelector("[role=status]");
  status.textContent = capitaliseFirst(sentence) + describeByFamily(points, view.quantity) + ".";
}
