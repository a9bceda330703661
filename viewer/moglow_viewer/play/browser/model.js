"use strict";
// The model: past poses, controls and noise -> the next pose. A port of `moglow.sampling`.

const KINDS = { f2: Uint16Array, f4: Float32Array, f8: Float64Array, i4: Int32Array };

// Returns the arrays by name from their concatenated bytes; float16 becomes float32.
function unpackArrays(described, bytes) {
  const arrays = {};
  let start = 0;
  for (const [name, kind, count] of described) {
    const end = start + count * KINDS[kind].BYTES_PER_ELEMENT, values = new KINDS[kind](bytes.slice(start, end).buffer);
    arrays[name] = kind === "f2" ? halvesToSingles(values) : values;
    start = end;
  }
  return arrays;
}

function halvesToSingles(bits) {
  const scales = Array.from({ length: 32 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));
  return Float32Array.from(bits, (half) => {
    const exponent = (half >> 10) & 31, size = ((half & 1023) + (exponent ? 1024 : 0)) * scales[exponent];
    return half & 32768 ? -size : size;
  });
}

// Returns a matrix times a vector plus a bias. Four independent sums are faster than one.
function product(matrix, vector, bias, out = new Float32Array(bias.length)) {
  const width = vector.length;
  for (let row = 0, k = 0; row < out.length; row++) {
    let a = 0, b = 0, c = 0, d = 0, column = 0;
    for (; column + 3 < width; column += 4, k += 4) {
      a += matrix[k] * vector[column];
      b += matrix[k + 1] * vector[column + 1];
      c += matrix[k + 2] * vector[column + 2];
      d += matrix[k + 3] * vector[column + 3];
    }
    for (; column < width; column++, k++) a += matrix[k] * vector[column];
    out[row] = bias[row] + (a + b + (c + d));
  }
  return out;
}

const joined = (a, b) => { const out = new Float32Array(a.length + b.length); out.set(a); out.set(b, a.length); return out; };
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// The inverse of the flow. Its memory is a value that `step` takes and returns.
class Flow {
  constructor(arrays, facts) {
    Object.assign(this, facts, { arrays, noiseSize: facts.pose_dim + facts.degrees });
  }
  initial() {
    const zero = new Float32Array(this.hidden);
    return Array.from({ length: this.steps * this.layers }, () => ({ h: zero, c: zero }));
  }
  affine(name, vector, matrix = "weight") {
    return product(this.arrays[`${name}.${matrix}`], vector, this.arrays[`${name}.bias`]);
  }

  step(context, memory, noise, temperature) {
    let encoded = context;
    for (let k = 0; k < this.encoders; k++) encoded = this.affine(`encoder${k}`, encoded).map((x) => x * sigmoid(x));
    const given = this.affine("given", encoded), width = 4 * this.hidden, after = new Array(memory.length);
    let x = this.latent(noise, temperature);
    for (let k = this.steps - 1; k >= 0; k--) {
      let hidden = x.subarray(0, this.kept), share = given.subarray(k * width, (k + 1) * width);
      for (let depth = 0; depth < this.layers; depth++) {
        const cell = k * this.layers + depth;
        after[cell] = this.lstm(`step${k}.layer${depth}`, hidden, memory[cell], share);
        hidden = after[cell].h;
        share = null;
      }
      x = this.affine(`step${k}.unmix`, this.uncoupled(x, this.affine(`step${k}.head`, hidden)), "matrix");
    }
    return { pose: x, memory: after };
  }

  latent(noise, temperature) {
    let square = 0;
    for (let k = this.pose_dim; k < noise.length; k++) square += noise[k] ** 2;
    const size = temperature * (this.degrees ? Math.sqrt(this.degrees / square) : 1);
    return Float32Array.from(noise.subarray(0, this.pose_dim), (z) => size * z);
  }
  // Gates are in the order input, forget, output, new; the weights contain the factor ½ of the sigmoids' arguments.
  lstm(name, x, { h, c }, share) {
    const gates = this.affine(name, joined(x, h)), size = this.hidden;
    const next = { h: new Float32Array(size), c: new Float32Array(size) };
    if (share) for (let k = 0; k < gates.length; k++) gates[k] += share[k];
    const open = (k) => 0.5 * Math.tanh(gates[k]) + 0.5;
    for (let k = 0; k < size; k++) {
      next.c[k] = open(size + k) * c[k] + open(k) * Math.tanh(gates[3 * size + k]);
      next.h[k] = open(2 * size + k) * Math.tanh(next.c[k]);
    }
    return next;
  }
  uncoupled(x, outputs) { // `outputs` are shifts, then scales
    const out = x.slice(), moved = this.pose_dim - this.kept;
    for (let k = 0; k < moved; k++) {
      const scale = sigmoid(2 + outputs[moved + k]) + this.scale_floor;
      out[this.kept + k] = x[this.kept + k] / scale - outputs[k];
    }
    return out;
  }
}

// Samples poses frame by frame. A past is the last standardised poses and controls, the flow's memory and the label,
// with the change of label that is not over, as in `moglow.sampling.label_change`.
class Sampler {
  constructor(arrays, facts) {
    Object.assign(this, facts, { arrays, flow: new Flow(arrays, facts.flow) });
  }
  standardized(values, of) {
    const mean = this.arrays[`${of}_mean`], deviation = this.arrays[`${of}_deviation`];
    return Float32Array.from(values, (value, k) => (value - mean[k]) / deviation[k]);
  }
  physical(values, of) {
    const mean = this.arrays[`${of}_mean`], deviation = this.arrays[`${of}_deviation`];
    return Float32Array.from(values, (value, k) => value * deviation[k] + mean[k]);
  }
  // Returns the labels of a style, by default the default style, and of its default performer or the one sideways.
  style(name, aside = false) {
    return Float32Array.from((aside && this.labels_aside?.[name || ""]) || this.labels[name || ""]);
  }

  // Returns the pose after a past, in metres and radians. `velocities` are those of this step and of the lookahead.
  step(past, velocities, noise, style, temperature) {
    const coming = velocities.map((each) => this.standardized(each, "control"));
    const controls = [...past.controls, ...coming], begun = this.relabelled(past, style);
    const shown = !begun.change || begun.change.frames >= this.hidden_length;
    const context = this.context(past.poses, controls, style, shown);
    const made = this.flow.step(context, begun.memory, noise, temperature);
    const { target, change } = this.changing(begun.change, past.poses, controls, noise, temperature, made.pose);
    const { scale } = this.arrays, last = past.poses.at(-1);
    const expected = this.expected(last, past.poses.at(-2) ?? last, coming[0]);
    const pose = target.map((value, k) => value * scale[k] + expected[k]);
    return {
      past: {
        poses: [...past.poses.slice(1), pose], controls: [...past.controls.slice(1), coming[0]],
        memory: made.memory, label: style, change,
      },
      pose: this.physical(pose, "pose"),
    };
  }
  // Returns the pose whose target is zero, as `Context.expected`, after the last pose and the one before it.
  expected(last, before, control) {
    const { weights, momentum } = this.arrays, carried = this.carried(last, control);
    return Array.from(carried, (value, k) => weights[k] * value + momentum[k] * (last[k] - before[k]));
  }
  // Returns the memory and the change of label before a frame: a new label empties the memory.
  relabelled({ label, memory, change }, style) {
    if (!this.flags || !label || label.every((value, k) => value === style[k])) return { memory, change };
    return { memory: this.flow.initial(), change: { label, memory, frames: 0 } };
  }
  // Returns the target between those of the former and of the new label, and the change after the frame.
  changing(change, poses, controls, noise, temperature, target) {
    if (!change) return { target, change };
    const former = this.flow.step(this.context(poses, controls, change.label), change.memory, noise, temperature);
    const frames = change.frames + 1, length = this.change_length, x = frames / length;
    const share = x * x * (3 - 2 * x), after = { ...change, memory: former.memory, frames };
    return {
      target: share < 1 ? target.map((value, k) => former.pose[k] + share * (value - former.pose[k])) : target,
      change: frames < length ? after : null,
    };
  }
  context(poses, controls, style, shown = true) {
    const seen = shown ? poses : poses.map((pose) => new Float32Array(pose.length));
    const parts = [...seen, ...controls, this.flags ? new Float32Array(this.history).fill(shown ? 1 : 0) : [], style];
    const out = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
    let at = 0;
    for (const part of parts) { out.set(part, at); at += part.length; }
    return out;
  }
  // Returns the pose after the path's step with the feet at their places in the world.
  carried(before, control) {
    const [forward, sideways, turn] = this.physical(control, "control").map((rate) => rate / this.fps);
    const pose = this.physical(before, "pose"), out = pose.slice(), legs = this.planted;
    const [cosine, sine, half, halfSine] = [Math.cos(turn), Math.sin(turn), Math.cos(turn / 2), Math.sin(turn / 2)];
    for (let k = 0; k < legs; k++) {
      const x = pose[k], z = pose[legs + k];
      out[k] = cosine * x - sine * z - (half * sideways - halfSine * forward);
      out[legs + k] = sine * x + cosine * z - (halfSine * sideways + half * forward);
      out[2 * legs + k] -= turn;
      this.drawToReach(pose, out, k);
    }
    return this.standardized(out, "pose");
  }

  // Draws the toe of a leg to the hips of a pose as far as the leg is too short for it.
  drawToReach(pose, out, leg) {
    const { reach, planted } = this;
    if (!reach) return;
    const x = pose[reach.x], z = pose[reach.z], down = pose[reach.hips] - pose[reach.toes + leg];
    const level = Math.max(reach.lengths[leg] ** 2 - down ** 2, reach.nearest ** 2);
    const apart = [out[leg] - x, out[planted + leg] - z];
    const share = Math.sqrt(Math.min(1, level / (apart[0] ** 2 + apart[1] ** 2 + reach.tiny)));
    out[leg] = x + share * apart[0];
    out[planted + leg] = z + share * apart[1];
  }

  // Returns the standardised posture of a style; the mean for none.
  posture(style) {
    const { postures } = this.arrays, width = this.flow.pose_dim;
    return Float32Array.from({ length: width }, (_, k) => style.reduce((sum, is, s) => sum + is * postures[s * width + k], 0));
  }

  // Returns the past of a figure that has been standing for `warm_up` seconds; `noise` returns the noise of a frame.
  start(noise, style, temperature) {
    const still = Array.from({ length: 1 + this.lookahead }, () => [0, 0, 0]);
    const pose = this.posture(style), control = this.standardized(still[0], "control");
    let past = { poses: Array(this.history).fill(pose), controls: Array(this.history).fill(control), memory: this.flow.initial() };
    for (let frame = 0; frame < this.warm_up * this.fps; frame++) {
      ({ past } = this.step(past, still, noise(), style, temperature));
    }
    return past;
  }
}

// Standard normals from a seed: the Mulberry32 generator and the Box-Muller transform.
class Dice {
  constructor(seed) { this.seed = (seed * 0x9e3779b9) >>> 0; }
  uniform() {
    this.seed = (this.seed + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  }
  normals(count) {
    const out = new Float32Array(count);
    for (let k = 0; k < count; k += 2) {
      const size = Math.sqrt(-2 * Math.log(this.uniform())), angle = 2 * Math.PI * this.uniform();
      out[k] = size * Math.cos(angle);
      if (k + 1 < count) out[k + 1] = size * Math.sin(angle);
    }
    return out;
  }
}
