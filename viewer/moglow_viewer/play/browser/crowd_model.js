"use strict";
// The model for many figures: the weights are walked once for 16 of them. Equals `Flow` and `Sampler` of `model.js`.

// A stack of arrays in the memory of the kernel; places are in bytes, views in numbers.
class Heap {
  constructor() {
    this.memory = new WebAssembly.Memory({ initial: 1 });
    this.end = ROW; // address 0 remains unused
  }
  room(count) {
    const at = this.end;
    this.end += 16 * Math.ceil(count / 4);
    const missing = this.end - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / 65536));
    return at;
  }
  view(at, count) { return new Float32Array(this.memory.buffer, at, count); }
}

class CrowdSampler {
  static async of(sampler, figures) {
    const made = new CrowdSampler(sampler, figures);
    made.kernel = await makeKernel(made.heap.memory);
    return made;
  }

  constructor(sampler, figures) {
    const { flow, history, lookahead } = sampler, heap = new Heap(), dim = flow.pose_dim;
    Object.assign(this, { sampler, flow, heap, figures, dim });
    this.maps = Object.fromEntries(this.mapNames().map(([name, matrix]) => [name, this.packed(name, matrix)]));
    const seen = history * dim, controls = 3 * (history + 1 + lookahead), flags = sampler.flags ? history : 0;
    const labels = sampler.performers.length + sampler.styles.length;
    Object.assign(this, { seen, controls, width: seen + controls + flags + labels, flagged: flags, labels });
    const widest = Math.max(...Object.values(this.maps).map(({ pairs }) => 2 * pairs), this.width);
    this.one = heap.room(LANES * widest); // results of products
    this.other = heap.room(LANES * widest);
    this.given = heap.room(LANES * 2 * this.maps.given.pairs);
    this.gates = heap.room(LANES * 4 * flow.hidden);
    this.latents = heap.room(LANES * (dim + 1));
    this.blocks = Array.from({ length: Math.ceil(figures / LANES) }, () => this.block());
    for (const block of this.blocks) this.viewed(block); // after the last growth of the memory
  }
  mapNames() {
    const { encoders, steps, layers } = this.flow, each = (count, make) => Array.from({ length: count }, (_, k) => make(k)).flat();
    return [
      ...each(encoders, (k) => [[`encoder${k}`, "weight"]]), ["given", "weight"],
      ...each(steps, (k) => [...each(layers, (depth) => [[`step${k}.layer${depth}`, "weight"]]), [`step${k}.head`, "weight"], [`step${k}.unmix`, "matrix"]]),
    ];
  }
  // Copies a matrix to the memory: rows in pairs whose numbers alternate, the last one with zeros if there is no other.
  packed(name, kind) {
    const weights = this.flow.arrays[`${name}.${kind}`], bias = this.flow.arrays[`${name}.bias`], rows = bias.length;
    const width = weights.length / rows, pairs = Math.ceil(rows / 2);
    const at = this.heap.room(2 * pairs * width), shift = this.heap.room(2 * pairs);
    const out = this.heap.view(at, 2 * pairs * width);
    for (let row = 0; row < rows; row++) {
      for (let k = 0, to = (row >> 1) * 2 * width + (row & 1); k < width; k++, to += 2) out[to] = weights[row * width + k];
    }
    this.heap.view(shift, rows).set(bias);
    return { at, shift, pairs, width };
  }

  // A block's state: its context, and for each cell the inputs, followed by the outputs, and the cells.
  block() {
    const { heap, flow } = this, cells = [];
    for (let k = 0; k < flow.steps; k++) {
      for (let depth = 0; depth < flow.layers; depth++) {
        const inputs = this.maps[`step${k}.layer${depth}`].width;
        cells.push({ inputs: inputs - flow.hidden, x: heap.room(LANES * inputs), c: heap.room(LANES * flow.hidden) });
      }
    }
    return { context: heap.room(LANES * this.width), cells };
  }
  viewed(block) {
    block.values = this.heap.view(block.context, LANES * this.width);
    for (const cell of block.cells) cell.values = this.heap.view(cell.x, LANES * (cell.inputs + this.flow.hidden));
  }

  apply({ at, shift, pairs, width }, x, out) { this.kernel.product(at, x, shift, out, pairs, width); }
  over({ at, pairs, width }, x, out) { this.kernel.onto(at, x, 0, out, pairs, width); }

  // Sets all figures to the past of standing with a style, as `Sampler.start` before its frames.
  stand(style) {
    const { sampler, dim } = this, pose = sampler.posture(style), control = sampler.standardized([0, 0, 0], "control");
    for (const { values, cells } of this.blocks) {
      const fill = (row, count, value) => {
        for (let k = 0; k < count; k++) values.fill(value(k), LANES * (row + k), LANES * (row + k + 1));
      };
      fill(0, this.seen, (k) => pose[k % dim]);
      fill(this.seen, this.controls, (k) => control[k % 3]);
      fill(this.seen + this.controls, this.flagged, () => 1);
      fill(this.width - this.labels, this.labels, (k) => style[k]);
      for (const cell of cells) {
        cell.values.fill(0);
        this.heap.view(cell.c, LANES * this.flow.hidden).fill(0);
      }
    }
  }

  // Computes the next frame of all figures. `velocities(figure, k)` are those of this frame and of the lookahead,
  // `noise(figure)` the noise. Returns a function of the figure to its pose in metres and radians.
  step(velocities, noise, temperature) {
    this.blocks.forEach((block, b) => this.stepBlock(block, b * LANES, velocities, noise, temperature));
    const { pose_mean: mean, pose_deviation: deviation } = this.sampler.arrays, { dim, seen } = this;
    return (figure, pose = new Float32Array(dim)) => {
      const { values } = this.blocks[Math.floor(figure / LANES)], lane = figure % LANES, start = seen - dim;
      for (let k = 0; k < dim; k++) pose[k] = values[LANES * (start + k) + lane] * deviation[k] + mean[k];
      return pose;
    };
  }
  stepBlock(block, first, velocities, noise, temperature) {
    const { sampler, dim, seen } = this, { values } = block, count = Math.min(LANES, this.figures - first), ahead = 1 + sampler.lookahead;
    const { control_mean: mean, control_deviation: deviation, weights, scale } = sampler.arrays;
    const coming = seen + 3 * sampler.history;
    for (let lane = 0; lane < count; lane++) {
      for (let k = 0; k < ahead; k++) {
        const each = velocities(first + lane, k);
        for (let axis = 0; axis < 3; axis++) values[LANES * (coming + 3 * k + axis) + lane] = (each[axis] - mean[axis]) / deviation[axis];
      }
    }
    const target = this.flowStep(block, first, count, noise, temperature);
    const last = new Float32Array(dim), control = new Float32Array(3), next = new Float32Array(LANES * dim);
    for (let lane = 0; lane < count; lane++) {
      for (let k = 0; k < dim; k++) last[k] = values[LANES * (seen - dim + k) + lane];
      for (let k = 0; k < 3; k++) control[k] = values[LANES * (coming + k) + lane];
      const carried = sampler.carried(last, control);
      for (let k = 0; k < dim; k++) next[LANES * k + lane] = target[LANES * k + lane] * scale[k] + weights[k] * carried[k];
    }
    values.copyWithin(0, LANES * dim, LANES * seen);
    values.set(next, LANES * (seen - dim));
    values.copyWithin(LANES * seen, LANES * (seen + 3), LANES * (coming + 3)); // past controls and this one
  }

  // The inverse of the flow for a block, as `Flow.step`.
  flowStep(block, first, count, noise, temperature) {
    const { flow, heap, maps, dim } = this;
    let encoded = block.context, out = this.one;
    for (let k = 0; k < flow.encoders; k++) {
      const map = maps[`encoder${k}`];
      this.apply(map, encoded, out);
      const values = heap.view(out, LANES * 2 * map.pairs);
      for (let i = 0; i < values.length; i++) values[i] *= sigmoid(values[i]);
      [encoded, out] = [out, out === this.one ? this.other : this.one];
    }
    this.apply(maps.given, encoded, this.given);
    const x = heap.view(this.latents, LANES * dim);
    for (let lane = 0; lane < count; lane++) flow.latent(noise(first + lane), temperature).forEach((z, k) => { x[LANES * k + lane] = z; });
    for (let k = flow.steps - 1; k >= 0; k--) this.unflow(block, k, x);
    return x;
  }
  unflow(block, k, x) {
    const { flow, heap, maps, kernel } = this, { hidden, kept, layers, scale_floor: floor } = flow, moved = this.dim - kept;
    let from = x.subarray(0, LANES * kept), last;
    for (let depth = 0; depth < layers; depth++) {
      const cell = block.cells[k * layers + depth], map = maps[`step${k}.layer${depth}`];
      const gates = depth ? this.gates : this.given + ROW * 4 * hidden * k;
      cell.values.set(from);
      if (depth) this.apply(map, cell.x, gates);
      else this.over(map, cell.x, gates); // its bias is in that of `given`
      last = cell.x + ROW * cell.inputs;
      kernel.cells(gates, cell.c, last, hidden);
      from = heap.view(last, LANES * hidden);
    }
    this.apply(maps[`step${k}.head`], last, this.one);
    const outputs = heap.view(this.one, LANES * 2 * moved), split = LANES * moved;
    for (let i = 0, at = LANES * kept; i < split; i++, at++) x[at] = x[at] / (sigmoid(2 + outputs[split + i]) + floor) - outputs[i];
    this.apply(maps[`step${k}.unmix`], this.latents, this.other);
    x.set(heap.view(this.other, LANES * this.dim));
  }
}
