// The depths at the ends of the curves.

const COINCIDING = 7; // pixels: lines that end closer to each other share a label

// The last value of each depth; of several runs, their mean.
function listEnds(lines) {
  const drawn = lines.filter((line) => line.points.length > 0);
  return Array.from(d3.group(drawn, (line) => line.depth), ([depth, members]) => {
    const value = d3.mean(members, (line) => line.points.at(-1).value);
    const iteration = d3.max(members, (line) => line.points.at(-1).iteration);
    return { family: members[0].family, depth, value, iteration };
  });
}

// The labels of the lines' ends: a depth each, or "20 to 56" where lines end at one height.
function labelEnds(lines, position, depths) {
  const ends = listEnds(lines).map((end) => ({ ...end, y: position(end.value) }));
  const clusters = [];
  for (const end of d3.sort(ends, (end) => end.y)) {
    const cluster = clusters.at(-1);
    if (cluster && end.y - cluster.at(-1).y < COINCIDING) cluster.push(end);
    else clusters.push([end]);
  }
  return clusters.map((cluster) => {
    const members = d3.sort(cluster, (end) => end.depth);
    const color = members.length === 1 ? `--depth-${members[0].depth}` : null;
    return {
      text: nameDepths(members.map((end) => end.depth), depths),
      stroke: color ? `var(${color})` : "var(--muted)",
      fill: color ? `var(${color}-text)` : "var(--ink)",
      iteration: d3.max(members, (end) => end.iteration),
      y: d3.mean(members, (end) => end.y),
    };
  });
}

// "20 to 56" for three depths or more without a gap, else "20, 56".
function nameDepths(members, depths) {
  const first = depths.indexOf(members[0]);
  const isRange = members.every((depth, index) => depth === depths[first + index]);
  if (isRange && members.length > 2) return `${members[0]} to ${members.at(-1)}`;
  return members.join(", ");
}

// The labels at the ends of the lines, joined with them where they had to move.
function markDepths(labels, y, bottom, top) {
  return spreadLabels(labels, top, bottom).flatMap((label) => {
    const labelY = y.invert(label.labelY);
    const place = { x: "iteration", y: labelY, dx: 16, textAnchor: "start" };
    const text = { ...place, text: [label.text], fill: label.fill, fontWeight: 700 };
    const leader = Plot.link([label], {
      x1: "iteration",
      x2: "iteration",
      y1: y.invert(label.y),
      y2: labelY,
      stroke: label.stroke,
      render: bendLeader,
    });
    return [leader, Plot.text([label], text)];
  });
}

// Draw the link from the end of a line to its label, which is 14 pixels further right.
function bendLeader(index, scales, values, dimensions, context, next) {
  const group = next(index, scales, values, dimensions, context);
  for (const path of group.querySelectorAll("path")) {
    const [x, y1, , y2] = path.getAttribute("d").match(/-?[\d.]+/g).map(Number);
    path.setAttribute("d", `M${x + 2},${y1}L${x + 13},${y2}`);
  }
  return group;
}
