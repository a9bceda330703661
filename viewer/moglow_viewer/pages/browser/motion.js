"use strict";
// The motion of a page: takes and paths as points that move. Metres, seconds; Y up. First script.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const LIFTED = 255; // byte of a foot in the air

async function inflate(base64) {
  const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Decodes second differences of each coordinate, zigzag, all low bytes before all high ones, to metres, frame by frame.
async function unpack({ frames, points, unit, origin, data }) {
  const bytes = await inflate(data), columns = 3 * points, count = frames * columns;
  const values = new Float32Array(count);
  for (let column = 0, k = 0; column < columns; column++) {
    for (let frame = 0, value = 0, step = 0; frame < frames; frame++, k++) {
      const zigzag = bytes[k] | (bytes[count + k] << 8);
      step += (zigzag >>> 1) ^ -(zigzag & 1);
      value += step;
      values[frame * columns + column] = origin[column % 3] + unit * value;
    }
  }
  return values;
}

// Points that move: `at(seconds)` interpolates between frames; constant after the last.
class Track {
  constructor(packed, values) {
    Object.assign(this, packed, { values, columns: 3 * packed.points });
    this.pose = new Float32Array(this.columns);
  }
  get first() { return 0; } // the first frame in memory
  offset(frame) { return frame * this.columns; }
  frameAt(seconds) {
    return clamp(Math.floor(seconds * this.fps + 1e-4), 0, this.frames - 1);
  }
  point(frame, k) {
    const start = this.offset(frame) + 3 * k;
    return this.values.subarray(start, start + 3);
  }
  ends(frame) { // of an arrow
    return [this.point(frame, 0), this.point(frame, 1)];
  }
  at(seconds) {
    const frame = this.frameAt(seconds), next = Math.min(frame + 1, this.frames - 1);
    const share = clamp(seconds * this.fps - frame, 0, 1);
    const a = this.offset(frame), b = this.offset(next);
    for (let k = 0; k < this.columns; k++) {
      this.pose[k] = this.values[a + k] + (this.values[b + k] - this.values[a + k]) * share;
    }
    return this.pose;
  }
}

class Take extends Track {
  constructor(packed, values, feet, slide) {
    super(packed, values);
    Object.assign(this, { feet, slide, shown: true });
    this.size = 0.1; // largest distance of the body from its hips, in a sample of a hundred frames
    for (let frame = 0; frame < this.frames; frame += Math.ceil(this.frames / 100)) {
      const [x, y, z] = this.point(frame, this.hips);
      for (const [, tip] of this.bones) {
        const [px, py, pz] = this.point(frame, tip);
        this.size = Math.max(this.size, Math.hypot(px - x, py - y, pz - z));
      }
    }
    this.track = smoothed(this);
    this.prints = footprints(this);
  }
  foot(frame, leg) { return this.feet[frame * this.toes.length + leg]; }
  trackAt(seconds) {
    const frame = this.frameAt(seconds), next = Math.min(frame + 1, this.frames - 1);
    const share = clamp(seconds * this.fps - frame, 0, 1);
    return this.track[frame].map((value, k) => value + (this.track[next][k] - value) * share);
  }
}

// Returns the hips' track without the sway of steps, by two means over a second, for the camera.
function smoothed(take) {
  const reach = Math.round(take.fps / 2), last = take.frames - 1;
  let track = Array.from({ length: take.frames }, (_, frame) => [...take.point(frame, take.hips)]);
  for (let pass = 0; pass < 2; pass++) {
    const sums = [[0, 0, 0]];
    for (const [x, y, z] of track) {
      const [sx, sy, sz] = sums[sums.length - 1];
      sums.push([sx + x, sy + y, sz + z]);
    }
    track = track.map((_, frame) => {
      const width = Math.min(reach, frame, last - frame); // equal on both sides
      const from = sums[frame - width], to = sums[frame + width + 1];
      return to.map((sum, k) => (sum - from[k]) / (2 * width + 1));
    });
  }
  return track;
}

// Returns each stretch in which a foot is planted: place, frames and mean sliding speed (cm/s).
function footprints(take) {
  const prints = [];
  for (let leg = 0; leg < take.toes.length; leg++) {
    let print = null;
    for (let frame = 0; frame < take.frames; frame++) {
      const speed = take.foot(frame, leg);
      if (speed === LIFTED) { print = null; continue; }
      if (!print) prints.push((print = { leg, start: frame, stop: frame, x: 0, z: 0, speed: 0 }));
      const [x, , z] = take.point(frame, take.toes[leg]), count = frame - print.start + 1;
      print.stop = frame;
      print.x += (x - print.x) / count;
      print.z += (z - print.z) / count;
      print.speed += (speed - print.speed) / count;
    }
  }
  return prints;
}
