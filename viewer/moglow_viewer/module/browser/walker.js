"use strict";
// The parts together: a model that is loaded once, and figures that walk by it.

const FORMAT = 1; // of the file of weights
const REMEDY = "write it with: moglow export-model model.json";

// Loads the weights from an address, or from the parsed JSON.
async function loadModel(source) {
  let file = source;
  if (typeof source === "string" || source instanceof URL) {
    const answer = await fetch(source);
    if (!answer.ok) throw new Error(`${source}: ${answer.status} ${answer.statusText}; ${REMEDY}`);
    file = await answer.json().catch(() => null);
  }
  if (file?.moglow !== FORMAT) {
    throw new Error(`${file === source ? "the model" : source}: not a model of moglow.js ${FORMAT}; ${REMEDY}`);
  }
  return new Model(file, unpackArrays(file.model.arrays, await inflate(file.model.data)));
}

// A model and the figure that it moves.
class Model {
  constructor(file, arrays) {
    Object.assign(this, { facts: file, fps: file.model.fps, lookahead: file.model.lookahead, styles: file.model.styles });
    Object.assign(this, file.joints); // names, parents, bones, carrier
    this.sampler = new Sampler(arrays, file.model);
    this.body = new Body(arrays, file.figure);
    this.steering = new Steering(file.steering);
    const standing = this.body.restored(this.sampler.physical(this.sampler.posture(this.style(null)), "pose"));
    const floor = this.body.toe_numbers.map(([, height]) => standing[height]);
    this.lock = new FootLock(this.body, { ...file.figure, fps: this.fps, floor });
  }
  style(name, aside) {
    if (name && !this.styles.includes(name)) {
      throw new Error(`no style is called ${name}; the model has ${this.styles.join(", ") || "none"}`);
    }
    return this.sampler.style(name, aside);
  }
  walker(options) { return new Walker(this, options); }
  // Returns the path through points [x, z] on the ground, from a place on, as velocities for `Walker.advance`.
  route(place, points) {
    const curve = curveFrom(place, points);
    return curve && velocitiesOf(follow(curve, this.fps, this.facts.pace), this.fps).slice(1);
  }
}

// A figure: its state and its place on the ground. One call is one frame. The same seed and input give the same motion.
class Walker {
  constructor(model, { seed = 0, style = null, temperature = 0.8, footLock = true } = {}) {
    Object.assign(this, { model, temperature, footLock, dice: new Dice(seed), place: [0, 0, 0], moving: RESTING, aside: false });
    this.style = style;
    this.past = model.sampler.start(() => this.noise(), this.label, temperature);
    this.held = model.lock.initial();
  }
  get style() { return this.named; }
  set style(name) {
    this.model.style(name); // an error for an unknown one
    this.named = name;
  }
  get label() { return this.model.style(this.named, this.aside); }
  noise() { return this.dice.normals(this.model.sampler.flow.noiseSize); }

  // Goes on by a stick: forward, sideways and turn from -1 to 1, left positive; `hurry` multiplies the speed.
  step({ forward = 0, sideways = 0, turn = 0, hurry = 1 } = {}) {
    const { steering, lookahead } = this.model, wanted = steering.wanted({ forward, sideways, turn, hurry });
    const coming = steering.ahead(this.moving, wanted, 1 + lookahead);
    this.moving = steering.step(this.moving, wanted);
    return this.advance(coming, this.noise(), steering.twisting(this.moving));
  }
  // Goes on by velocities [forward, sideways, turn] of this frame and of those after it; the last one is held.
  advance(velocities, noise = this.noise(), twisting = 0) {
    const { sampler, body, lock, lookahead, fps } = this.model;
    const coming = Array.from({ length: 1 + lookahead }, (_, k) => velocities[Math.min(k, velocities.length - 1)]);
    this.aside = this.model.steering.aside(coming, this.aside);
    const made = sampler.step(this.past, coming, noise, this.label, this.temperature);
    this.past = made.past;
    this.place = walked(this.place, coming[0], fps);
    const values = body.restored(made.pose), held = lock.step(values, this.place, this.held);
    this.held = held.memory;
    const { turns, at } = body.twisted(body.posed(this.footLock ? held.values : values, this.place), twisting);
    return { pose: made.pose, rotations: turns, position: at, place: [...this.place] };
  }
  // Returns the world positions of joints, then of end sites, of a frame.
  points({ rotations, position }) { return this.model.body.stand({ turns: rotations, at: position }); }
}
