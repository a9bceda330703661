"use strict";
// Holds planted feet in place while frames arrive one by one. Its memory is a value that `step` takes and returns.

const BLEND = 0.12; // seconds in which a foot comes to rest, and returns to its own way
const FARTHEST = 0.1; // the most that a toe is moved, in lengths of the leg; a foot that slides farther is dragged
const STRAIGHT = 0.985; // the hips sink rather than that a leg gets straighter than this
const DEEPEST = 0.05; // the most that they sink, in lengths of the leg

class FootLock {
  // `floor` are the heights of standing toes, `lengths` those of the legs; `contact` as in `moglow.motion.contacts`.
  constructor(body, { contact, lengths, fps, floor }) {
    Object.assign(this, { body, contact, lengths, fps, floor, blend: Math.max(1, Math.round(BLEND * fps)) });
  }
  initial() { return { feet: this.lengths.map(() => null), hips: null, sink: 0 }; }

  // Returns all numbers of a pose with the feet held, for `Body.posed`, and the memory after it.
  step(values, place, memory) {
    const out = values.slice(), start = 7 * this.body.legs;
    const hips = fromPath([values[start + 1], values[start + 2]], place);
    const carried = memory.hips ? lengthOf(hips, memory.hips) * this.fps : 0;
    const feet = memory.feet.map((foot, leg) => {
      const [x, height, z] = this.body.toe_numbers[leg], raw = fromPath([values[x], values[z]], place);
      const next = this.foot(foot || { raw, held: raw, stands: false, age: this.blend }, raw, {
        leg, rise: values[height] - this.floor[leg], carried,
      });
      [out[x], out[z]] = toPath(next.held, place);
      return next;
    });
    const sink = Math.max(this.needed(values, out, feet), memory.sink * Math.exp(-2 / (BLEND * this.fps)));
    out[start] -= sink;
    return { values: out, memory: { feet, hips, sink } };
  }

  // A foot comes to rest after it lands, and after it leaves its offset fades; `age` are frames since either.
  foot(before, raw, { leg, rise, carried }) {
    const { low, high, slow, fast, body } = this.contact, size = this.lengths[leg], was = before.stands;
    const speed = lengthOf(raw, before.raw) * this.fps - body * carried;
    const stands = rise < (was ? high : low) * size && speed < (was ? fast : slow) * size;
    const age = stands === was ? Math.min(before.age + 1, this.blend) : 0;
    const step = [raw[0] - before.raw[0], raw[1] - before.raw[1]];
    let offset = [before.held[0] - before.raw[0], before.held[1] - before.raw[1]];
    if (stands) {
      const share = age / this.blend;
      offset = offset.map((part, k) => part - share * step[k]);
    } else if (age >= this.blend) offset = [0, 0];
    else offset = offset.map((part) => (part * fading(age + 1, this.blend)) / fading(age, this.blend));
    const far = Math.hypot(...offset), most = FARTHEST * size;
    if (far > most) offset = offset.map((part) => (part * most) / far);
    return { raw, held: [raw[0] + offset[0], raw[1] + offset[1]], stands, age };
  }

  // Returns how far the hips go down so that the moved legs reach.
  needed(values, moved, feet) {
    const moves = feet.map(({ raw, held }) => raw[0] !== held[0] || raw[1] !== held[1]);
    if (!moves.includes(true)) return 0;
    const before = this.body.legLines(values);
    return Math.max(...this.body.legLines(moved).map(([x, y, z], leg) => {
      if (!moves[leg]) return 0;
      const size = this.lengths[leg], longest = clamp(Math.hypot(...before[leg]), STRAIGHT * size, size);
      const beside = Math.min(Math.hypot(x, z), longest);
      return clamp(-y - Math.sqrt(longest ** 2 - beside ** 2), 0, DEEPEST * size);
    }));
  }
}

const fading = (age, blend) => 0.5 + 0.5 * Math.cos((Math.PI * Math.min(age, blend)) / blend);

// Points on the ground from the path's frame at [x, z, heading] to the world, and back.
function fromPath([px, pz], [x, z, heading]) {
  const cosine = Math.cos(heading), sine = Math.sin(heading);
  return [cosine * px + sine * pz + x, cosine * pz - sine * px + z];
}
function toPath([wx, wz], [x, z, heading]) {
  const cosine = Math.cos(heading), sine = Math.sin(heading), dx = wx - x, dz = wz - z;
  return [cosine * dx - sine * dz, sine * dx + cosine * dz];
}
