// Where labels go, so that they neither overlap nor leave the chart. All positions are in pixels.

const LABEL_HEIGHT = 15;
const DIGIT_WIDTH = 7, DIGIT_HEIGHT = 12; // of a number

// Move labels apart, each as little as is needed. `labels`: objects with `y`, the position that
// each would like; they get `labelY`. If there are too many for the room, the last are dropped.
function spreadLabels(labels, top, bottom) {
  const capacity = Math.max(1, Math.floor((bottom - top) / LABEL_HEIGHT) + 1);
  const placed = labels.slice(0, capacity).sort((a, b) => a.y - b.y);
  let lowest = top - LABEL_HEIGHT;
  for (const label of placed) {
    label.labelY = Math.max(label.y, lowest + LABEL_HEIGHT, top);
    lowest = label.labelY;
  }
  // Those that were pushed below the bottom push the ones above them up.
  let limit = bottom;
  for (const label of placed.toReversed()) {
    label.labelY = Math.min(label.labelY, limit);
    limit = label.labelY - LABEL_HEIGHT;
  }
  return placed;
}

// Where the texts of points may go, relative to the points: above, below, and beside them. The
// first number is a side (left: -1, right: 1), the second one pixels downwards.
const PLACES = [[0, -15], [0, 15], [-1, -7], [-1, -18], [1, 9], [1, -7], [-1, 9]];
const BESIDE = 9; // pixels between a point and the text beside it

// Print a text beside each point, or not at all where it would cover something. `points`: objects
// with `x`, `y`, `text`, `prefersBelow`, and the ends of an error bar, `top` and `bottom`. Returns
// those that are printed, with a `labelX` and a `labelY`. `room`: where texts may be.
function placeValues(points, room) {
  const taken = points.flatMap((point) => [
    makeBox(point.x, point.y, 13, 13),
    makeBox(point.x, (point.top + point.bottom) / 2, 4, point.bottom - point.top),
  ]);
  const placed = [];
  for (const point of points) {
    const textWidth = DIGIT_WIDTH * point.text.length;
    for (const [side, down] of PLACES) {
      const labelX = point.x + side * (BESIDE + textWidth / 2);
      const labelY = point.y + (point.prefersBelow ? 1 - down : down);
      const box = makeBox(labelX, labelY, textWidth, DIGIT_HEIGHT);
      const isInside =
        box.left >= room.left && box.top >= room.top && box.bottom <= room.bottom;
      if (!isInside || taken.some((other) => overlap(box, other))) continue;
      taken.push(box);
      placed.push({ ...point, labelX, labelY });
      break;
    }
  }
  return placed;
}

function makeBox(x, y, width, height) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

// The ticks that can be labelled without overlapping; the last one is always among them.
function selectTicks(values, position, gap) {
  const selected = [];
  for (const value of values.toReversed()) {
    const isFree = selected.every((other) => Math.abs(position(other) - position(value)) >= gap);
    if (isFree) selected.push(value);
  }
  return selected.reverse();
}
