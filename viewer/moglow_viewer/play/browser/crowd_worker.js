"use strict";
// Some figures of a crowd in a worker: wanted velocities in, points of bodies out, a frame at a time.

// The figures from number `first` on; figure k has the seed `seed + k`, as a single figure of the page has its seed.
class Company {
  static async of(facts, arrays, first, places) {
    const company = new Company(facts, arrays, first, places);
    company.sampler = await CrowdSampler.of(company.single, places.length);
    company.stand();
    return company;
  }
  constructor({ model, figure, steering, temperature, style, seed }, arrays, first, places) {
    Object.assign(this, { temperature, places: places.map((place) => [...place]), fps: model.fps, frames: 1 + model.lookahead });
    this.single = new Sampler(arrays, model);
    this.body = new Body(arrays, figure);
    this.steering = new Steering(steering);
    this.label = this.single.style(style);
    this.moving = places.map(() => RESTING);
    this.dice = places.map((_, k) => new Dice(seed + first + k));
  }
  get noise() { return (figure) => this.dice[figure].normals(this.single.flow.noiseSize); }

  stand() { // for as long as a single figure
    const still = [0, 0, 0];
    this.sampler.stand(this.label);
    for (let frame = 0; frame < this.single.warm_up * this.fps; frame++) this.sampler.step(() => still, this.noise, this.temperature);
  }

  // Steps all figures by their wanted velocities `(3 · count)`. Returns the points of all bodies and their places.
  step(wanted, noise = this.noise) {
    const { steering, body, places } = this, count = places.length;
    const coming = places.map((_, k) => {
      const goal = wanted.subarray(3 * k, 3 * k + 3), ahead = steering.ahead(this.moving[k], goal, this.frames);
      this.moving[k] = steering.step(this.moving[k], goal);
      return ahead;
    });
    const posed = this.sampler.step((k, frame) => coming[k][frame], noise, this.temperature);
    const points = new Float32Array(count * 3 * body.points), at = new Float64Array(3 * count);
    for (let k = 0; k < count; k++) {
      places[k] = walked(places[k], coming[k][0], this.fps);
      const shown = body.twisted(body.decode(posed(k), places[k]), steering.twisting(this.moving[k]));
      points.set(body.stand(shown), k * 3 * body.points);
      at.set(places[k], 3 * k);
    }
    return { points, places: at };
  }
}

// Answers a page: first the facts, the arrays and the places of the figures, then wanted velocities for each frame.
function serve() {
  let company = null;
  self.onmessage = ({ data }) => work(data).catch((error) => self.postMessage({ error: error.message }));
  async function work(data) {
    if (data.facts) {
      company = await Company.of(data.facts, data.arrays, data.first, data.places);
      return self.postMessage({ ready: true });
    }
    const began = performance.now(), made = company.step(data.wanted);
    self.postMessage({ ...made, cost: performance.now() - began }, [made.points.buffer, made.places.buffer]);
  }
}

// The workers of a page and their shares of the figures, in whole blocks; they run the script of the page itself.
class Companies {
  constructor(facts, arrays, places, workers) {
    const blocks = Math.ceil(places.length / LANES), source = new Blob([document.querySelector("#script").textContent], { type: "text/javascript" });
    const address = URL.createObjectURL(source), count = Math.min(workers, blocks);
    this.cuts = Array.from({ length: count + 1 }, (_, k) => Math.min(Math.round((k * blocks) / count) * LANES, places.length));
    this.workers = this.cuts.slice(1).map((_, k) => {
      const worker = new Worker(address), first = this.cuts[k];
      worker.answer = this.next(worker);
      worker.postMessage({ facts, arrays, first, places: places.slice(first, this.cuts[k + 1]) });
      return worker;
    });
    this.ready = Promise.all(this.workers.map((worker) => worker.answer));
  }
  next(worker) {
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
      worker.onerror = (event) => reject(new Error(event.message || "a worker did not start"));
    });
  }
  // Returns the next frame of all figures: points and places of each share, in order.
  async step(wanted) {
    const answers = await Promise.all(this.workers.map((worker, k) => {
      const answer = this.next(worker);
      worker.postMessage({ wanted: wanted.slice(3 * this.cuts[k], 3 * this.cuts[k + 1]) });
      return answer;
    }));
    const joined = (name, Kind) => {
      const out = new Kind(answers.reduce((size, each) => size + each[name].length, 0));
      let at = 0;
      for (const each of answers) { out.set(each[name], at); at += each[name].length; }
      return out;
    };
    return { points: joined("points", Float32Array), places: joined("places", Float64Array), cost: Math.max(...answers.map(({ cost }) => cost)) };
  }
  close() { for (const worker of this.workers) worker.terminate(); }
}
