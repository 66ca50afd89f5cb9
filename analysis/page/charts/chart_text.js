// Numbers, sentences and tables: what the charts say to a screen reader, in a tip or in a table.

const NEWLINE = "\n";

function formatNumber(value, quantity) {
  if (value === null || value === undefined) return "-";
  return quantity.unit === "%" ? value.toFixed(2) : String(Number(value.toPrecision(3)));
}

function formatValue(value, quantity) {
  return `${formatNumber(value, quantity)} ${quantity.unit}`;
}

function capitaliseFirst(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function joinWords(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function nameAxis(quantity) {
  return `${capitaliseFirst(quantity.label)} (${quantity.unit})`;
}

// The text of a tip about the mean of a network's runs.
function describeMean(point, quantity) {
  const lines = [
    `${point.family}, ${point.depth} layers${point.untrained ? " (no better than chance)" : ""}`,
    `${point.finished > 1 ? "mean " : ""}${formatValue(point.value, quantity)}`,
  ];
  if (point.low !== null) {
    const low = formatNumber(point.low, quantity);
    lines.push(`95 % interval ${low} to ${formatNumber(point.high, quantity)}`);
  }
  if (point.runs.length === 0 && point.finished > 1) {
    const lowest = formatNumber(point.lowest, quantity);
    lines.push(`${point.finished} runs, ${lowest} to ${formatNumber(point.highest, quantity)}`);
  }
  const runs = point.finished > 1 ? point.runs : [];
  for (const run of runs.slice(0, 6)) {
    lines.push(`seed ${run.seed}: ${formatValue(run.value, quantity)}`);
  }
  if (runs.length > 6) lines.push(`and ${point.runs.length - 6} more runs`);
  return lines.join(NEWLINE);
}

// The text of a tip about one run. `iteration`: omitted for the value after the last one.
function describeRun(run, value, quantity, iteration) {
  const lines = [
    `${run.family}, ${run.depth} layers, seed ${run.seed}`,
    formatValue(value, quantity) + (run.state === "diverged" ? " (diverged)" : ""),
    `run ${run.id}`,
  ];
  if (iteration !== undefined) lines.splice(1, 0, `iteration ${iteration.toLocaleString("en")}`);
  return lines.join(NEWLINE);
}

// "plain networks: 1.07 % at 20 layers, 57.10 % at 56 layers; residual networks: ..."
function describeByFamily(points, quantity) {
  const byFamily = d3.group(points, (point) => point.family);
  const parts = Array.from(byFamily, ([family, members]) => {
    const values = members.map(
      (point) => `${describeValue(point, quantity)} at ${point.depth} layers`,
    );
    return `${family} networks: ${values.join(", ")}`;
  });
  return parts.length ? parts.join("; ") : "there is nothing to show";
}

// The mean of a network or, where a seed is repeated and there is none, the range of its runs.
function describeValue({ value, runs }, quantity) {
  if (value !== null) return formatValue(value, quantity);
  const [lowest, highest] = d3.extent(runs, (run) => run.value);
  if (lowest === highest) return formatValue(lowest, quantity);
  return `${formatNumber(lowest, quantity)} to ${formatValue(highest, quantity)}`;
}

// A table element. `rows`: lists of cells, of which the first names the row.
function buildTable(caption, columns, rows) {
  const table = document.createElement("table");
  table.createCaption().textContent = caption;
  addRow(table.createTHead(), columns, "col");
  const body = table.createTBody();
  for (const row of rows) addRow(body, row);
  return table;
}

function addRow(part, cells, scope) {
  const row = part.insertRow();
  cells.forEach((content, index) => {
    const isHeader = scope !== undefined || index === 0;
    const cell = document.createElement(isHeader ? "th" : "td");
    if (isHeader) cell.scope = scope ?? "row";
    cell.textContent = content;
    row.append(cell);
  });
}

// Make the drawing one image with a label. Plot labels the groups inside, which no reader reaches.
function labelDrawing(svg) {
  svg.setAttribute("role", "img");
  for (const group of svg.querySelectorAll("g[aria-label]")) {
    group.dataset.mark = group.getAttribute("aria-label");
    group.removeAttribute("aria-label");
  }
  return svg;
}
