"use strict";
// The model for many figures, in blocks of 16: the weights are read once a frame for all of them. Equals `Flow` and `Sampler` of `model.js`.

const SLAB = 32; // pairs of rows of a matrix that are multiplied for all blocks before the next ones

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
    const labels = sampler.labels[""].length;
    Object.assign(this, { seen, controls, width: seen + controls + flags + labels, flagged: flags, labels });
    const small = Object.entries(this.maps).filter(([name]) => /encoder|head|unmix/.test(name)); // their results are stored
    this.widest = Math.max(...small.map(([, { pairs }]) => 2 * pairs));
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

  // A block's state: its context, and for each cell the inputs, followed by the outputs, and the cells; and its results.
  block() {
    const { heap, flow } = this, cells = [];
    for (let k = 0; k < flow.steps; k++) {
      for (let depth = 0; depth < flow.layers; depth++) {
        const inputs = this.maps[`step${k}.layer${depth}`].width;
        cells.push({ inputs: inputs - flow.hidden, x: heap.room(LANES * inputs), c: heap.room(LANES * flow.hidden) });
      }
    }
    const [one, other] = [0, 1].map(() => heap.room(LANES * this.widest)), gates = heap.room(LANES * 4 * flow.hidden);
    return { context: heap.room(LANES * this.width), cells, one, other, gates, latents: heap.room(LANES * this.dim) };
  }
  viewed(block) {
    block.values = this.heap.view(block.context, LANES * this.width);
    block.x = this.heap.view(block.latents, LANES * this.dim);
    for (const cell of block.cells) cell.values = this.heap.view(cell.x, LANES * (cell.inputs + this.flow.hidden));
  }

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
    this.blocks.forEach((block, b) => this.look(block, b * LANES, velocities));
    this.flowStep(noise, temperature);
    this.blocks.forEach((block, b) => this.goOn(block, b * LANES));
    const { pose_mean: mean, pose_deviation: deviation } = this.sampler.arrays, { dim, seen } = this;
    return (figure, pose = new Float32Array(dim)) => {
      const { values } = this.blocks[Math.floor(figure / LANES)], lane = figure % LANES, start = seen - dim;
      for (let k = 0; k < dim; k++) pose[k] = values[LANES * (start + k) + lane] * deviation[k] + mean[k];
      return pose;
    };
  }
  get coming() { return this.seen + 3 * this.sampler.history; } // the row of the context with this frame's control
  look({ values }, first, velocities) { // sets this frame's control and those after it
    const { control_mean: mean, control_deviation: deviation } = this.sampler.arrays, ahead = 1 + this.sampler.lookahead;
    for (let lane = 0; lane < Math.min(LANES, this.figures - first); lane++) {
      for (let k = 0; k < ahead; k++) {
        const each = velocities(first + lane, k), at = LANES * (this.coming + 3 * k) + lane;
        for (let axis = 0; axis < 3; axis++) values[at + LANES * axis] = (each[axis] - mean[axis]) / deviation[axis];
      }
    }
  }
  goOn({ values, x }, first) { // makes the target of the flow the last pose
    const { sampler, dim, seen, coming } = this, { scale } = sampler.arrays;
    const earlier = seen - Math.min(2, sampler.history) * dim; // the row of the pose before the last one
    const last = new Float32Array(dim), before = new Float32Array(dim), control = new Float32Array(3), next = new Float32Array(LANES * dim);
    for (let lane = 0; lane < Math.min(LANES, this.figures - first); lane++) {
      for (let k = 0; k < dim; k++) last[k] = values[LANES * (seen - dim + k) + lane];
      for (let k = 0; k < 3; k++) control[k] = values[LANES * (coming + k) + lane];
      for (let k = 0; k < dim; k++) before[k] = values[LANES * (earlier + k) + lane];
      const expected = sampler.expected(last, before, control);
      for (let k = 0; k < dim; k++) next[LANES * k + lane] = x[LANES * k + lane] * scale[k] + expected[k];
    }
    values.copyWithin(0, LANES * dim, LANES * seen);
    values.set(next, LANES * (seen - dim));
    values.copyWithin(LANES * seen, LANES * (seen + 3), LANES * (coming + 3)); // past controls and this one
  }

  // The inverse of the flow for all blocks together, as `Flow.step`; the poses are in the blocks' latents.
  flowStep(noise, temperature) {
    const { flow, maps, blocks } = this;
    let encoded = "context", out = "one";
    for (let k = 0; k < flow.encoders; k++) {
      const map = maps[`encoder${k}`];
      this.product(map, (block) => block[encoded], (block) => block[out]);
      for (const block of blocks) {
        const values = this.heap.view(block[out], LANES * 2 * map.pairs);
        for (let i = 0; i < values.length; i++) values[i] *= sigmoid(values[i]);
      }
      [encoded, out] = [out, out === "one" ? "other" : "one"];
    }
    blocks.forEach((block, b) => {
      const count = Math.min(LANES, this.figures - b * LANES), { x } = block;
      for (let lane = 0; lane < count; lane++) {
        flow.latent(noise(b * LANES + lane), temperature).forEach((z, k) => { x[LANES * k + lane] = z; });
      }
    });
    for (let k = flow.steps - 1; k >= 0; k--) this.unflow(k, encoded, out);
  }
  unflow(k, encoded, out) {
    const { flow, heap, maps, blocks, dim } = this, { hidden, kept, layers, scale_floor: floor } = flow, moved = dim - kept;
    this.product(maps.given, (block) => block[encoded], (block) => block.gates, { first: 2 * hidden * k, pairs: 2 * hidden });
    for (let depth = 0; depth < layers; depth++) {
      const number = k * layers + depth, map = maps[`step${k}.layer${depth}`];
      for (const block of blocks) {
        const cell = block.cells[number];
        cell.values.set(depth ? heap.view(this.outputs(block, number - 1), LANES * hidden) : block.x.subarray(0, LANES * kept));
      }
      // The first cell's bias is in that of `given`.
      this.product(map, (block) => block.cells[number].x, (block) => block.gates, { onto: depth === 0 });
      for (const block of blocks) this.kernel.cells(block.gates, block.cells[number].c, this.outputs(block, number), hidden);
    }
    this.product(maps[`step${k}.head`], (block) => this.outputs(block, k * layers + layers - 1), (block) => block[out]);
    for (const block of blocks) {
      const { x } = block, outputs = heap.view(block[out], LANES * 2 * moved), split = LANES * moved;
      for (let i = 0, at = LANES * kept; i < split; i++, at++) x[at] = x[at] / (sigmoid(2 + outputs[split + i]) + floor) - outputs[i];
    }
    this.product(maps[`step${k}.unmix`], (block) => block.latents, (block) => block[out]);
    for (const block of blocks) block.x.set(heap.view(block[out], LANES * dim));
  }
  outputs(block, number) { return block.cells[number].x + ROW * block.cells[number].inputs; }

  // Products for all blocks, some rows after the other, so that these are still in the cache for the next block.
  product({ at, shift, pairs: all, width }, x, out, { first = 0, pairs = all, onto = false } = {}) {
    const run = onto ? this.kernel.onto : this.kernel.product;
    for (let pair = first; pair < first + pairs; pair += SLAB) {
      const count = Math.min(SLAB, first + pairs - pair);
      for (const block of this.blocks) {
        run(at + 8 * width * pair, x(block), shift + 8 * pair, out(block) + 2 * ROW * (pair - first), count, width);
      }
    }
  }
}
