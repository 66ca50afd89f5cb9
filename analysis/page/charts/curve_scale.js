// The vertical axis of the chart of curves, linear or logarithmic.

const LOG_TICKS = [1, 3].flatMap((digit) =>
  d3.range(-4, 7).map((exponent) => Number(`${digit}e${exponent}`)),
);
const FAR_APART = 10; // families whose last values differ by such a factor need a logarithmic axis

// On a linear axis that shows one family, another one would be a flat line at 0.
function chooseFirstScale(view) {
  const ends = listEnds(listSeries(view).map((line) => ({ ...line, depth: line.family })));
  const values = ends.map((end) => end.value).filter((value) => value > 0);
  return d3.max(values) > FAR_APART * d3.min(values) ? "log" : "linear";
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
