"use strict";
// A line drawn on the floor -> a path to walk. A port of `moglow.paths.pace` and `moglow.maths.signals`.

const SPACING = 0.02; // metres between the nodes of a curve
const STRIDE = 0.3; // metres over which a bend is measured
const STEADY = 0.2; // deviation in metres of the Gaussian that removes the jitter of a drawn line

const lengthOf = ([ax, az], [bx, bz]) => Math.hypot(bx - ax, bz - az);
const sums = (steps) => steps.reduce((all, step) => [...all, all[all.length - 1] + step], [0]);
const columns = (rows) => rows[0].map((_, axis) => rows.map((row) => row[axis]));
const rows = (lists) => lists[0].map((_, k) => lists.map((list) => list[k]));

// Interpolates values given at increasing places; constant beyond the ends.
function interpolated(wanted, places, values) {
  const last = places.length - 1;
  return wanted.map((place) => {
    if (place >= places[last]) return values[last];
    let low = -1, high = last;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (places[middle] <= place) low = middle; else high = middle;
    }
    if (low < 0) return values[0];
    return values[low] + ((values[high] - values[low]) * (place - places[low])) / (places[high] - places[low]);
  });
}

function unwrapped(angles) {
  let turns = 0;
  return angles.map((angle, k) => {
    if (k) turns -= 2 * Math.PI * Math.round((angle - angles[k - 1]) / (2 * Math.PI));
    return angle + turns;
  });
}

// Smooths by a Gaussian of `sigma` values; the ends are extended by point reflection.
function smoothGaussian(values, sigma) {
  const last = values.length - 1, taps = Math.min(Math.ceil(4 * sigma), last);
  if (taps < 1) return values.slice();
  const weights = Array.from({ length: 2 * taps + 1 }, (_, k) => Math.exp(-0.5 * ((k - taps) / sigma) ** 2));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const at = (k) => k < 0 ? 2 * values[0] - values[-k] : k > last ? 2 * values[last] - values[2 * last - k] : values[k];
  return values.map((_, k) => weights.reduce((sum, weight, tap) => sum + weight * at(k + tap - taps), 0) / total);
}

// Returns the curve through drawn points from the figure's place: closely spaced nodes and the direction at each.
function curveFrom([x, z, heading], points) {
  const far = lengthOf([x, z], points[0]) > STRIDE, line = [[x, z], ...(far ? points : points.slice(1))];
  const drawn = line.filter((point, k) => !k || lengthOf(point, line[k - 1]) > 1e-6);
  if (drawn.length < 2) return null;
  const arcs = sums(drawn.slice(1).map((point, k) => lengthOf(drawn[k], point))), length = arcs[arcs.length - 1];
  if (length < STRIDE) return null; // a tap, not a path
  const count = Math.ceil(length / SPACING), places = Array.from({ length: count + 1 }, (_, k) => (k * length) / count);
  const nodes = rows(columns(drawn).map((axis) => smoothGaussian(interpolated(places, arcs, axis), STEADY / SPACING)));
  const slope = (k) => { // a parabola through three nodes, at the ends too
    const m = clamp(k, 1, nodes.length - 2), way = k - m;
    return [0, 1].map((axis) => {
      const [a, b, c] = [m - 1, m, m + 1].map((at) => nodes[at][axis]);
      return (c - a) / 2 + way * (a - 2 * b + c);
    });
  };
  const ways = unwrapped([heading, ...nodes.map((_, k) => Math.atan2(...slope(k)))]);
  return { nodes: [[x, z], ...nodes], directions: ways }; // begins with a turn on the spot
}

const gradientStep = (list) => list.slice(1).map((value, k) => value - list[k]);

// Returns the path along a curve: as fast as speed, bends and acceleration allow, at rest at the ends and when turning.
function follow({ nodes, directions }, fps, pace) {
  const steps = nodes.slice(1).map((node, k) => lengthOf(nodes[k], node)), arcs = sums(steps);
  const turns = gradientStep(directions).map(Math.abs), pivot = steps.map((step, k) => step === 0 && turns[k] > 1e-6);
  const [ahead, behind] = [0.5, -0.5].map((way) => interpolated(arcs.map((arc) => arc + way * STRIDE), arcs, directions));
  const limit = arcs.map((_, k) => {
    const bend = Math.abs(ahead[k] - behind[k]) / STRIDE, still = k === 0 || k === steps.length || pivot[k] || pivot[k - 1];
    return still ? 0 : Math.min(pace.speed, pace.turn / Math.max(bend, 1e-9)) ** 2;
  });
  for (let k = 1; k < limit.length; k++) limit[k] = Math.min(limit[k], limit[k - 1] + 2 * pace.acceleration * steps[k - 1]);
  for (let k = steps.length - 1; k >= 0; k--) limit[k] = Math.min(limit[k], limit[k + 1] + 2 * pace.acceleration * steps[k]);
  const speed = limit.map((square) => Math.sqrt(Math.max(square, 0)));
  const lasting = steps.map((step, k) => pivot[k]
    ? Math.max(turns[k] / pace.turn, pace.pause)
    : (2 * step) / Math.max(speed[k + 1] + speed[k], 1e-9));
  const times = sums(lasting).map((time) => time + pace.pause);
  const count = Math.ceil((times[times.length - 1] + pace.pause) * fps) + 1;
  const frames = Array.from({ length: count }, (_, k) => k / fps), sigma = pace.smoothing * fps;
  const reached = smoothGaussian(interpolated(frames, times, arcs), sigma);
  return {
    positions: rows(columns(nodes).map((axis) => interpolated(reached, arcs, axis))),
    headings: smoothGaussian(interpolated(frames, times, directions), sigma),
  };
}

// Returns forward, sideways and turn velocities of the step to each frame.
function velocitiesOf({ positions, headings }, fps) {
  return headings.map((heading, k) => {
    if (!k) return [0, 0, 0];
    const middle = (heading + headings[k - 1]) / 2, [dx, dz] = [0, 1].map((axis) => (positions[k][axis] - positions[k - 1][axis]) * fps);
    const sine = Math.sin(middle), cosine = Math.cos(middle);
    return [dx * sine + dz * cosine, dx * cosine - dz * sine, (heading - headings[k - 1]) * fps];
  });
}
