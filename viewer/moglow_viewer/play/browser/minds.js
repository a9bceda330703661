"use strict";
// Where the figures of a crowd want to go: each wanders about, gathers at a place that was clicked, or follows the keys.

const NEARBY = 0.5; // metres from a goal at which a figure is there
const KEPT_APART = 1.1; // metres within which a figure gives way
const SHARP = 1.2; // radians off its way from which a figure turns on the spot

class Minds {
  constructor(count, { seed, spread = 1.6 }) {
    Object.assign(this, { count, dice: new Dice(seed + 0.5), radius: spread * Math.sqrt(count), gathered: null });
    this.pace = Array.from({ length: count }, () => 0.75 + 0.35 * this.dice.uniform());
    this.goals = Array.from({ length: count }, () => this.somewhere());
    this.idle = new Float64Array(count); // seconds for which a figure that arrived remains
  }
  // Returns the places at the start: a grid about the origin, in all directions.
  places() {
    const side = Math.ceil(Math.sqrt(this.count));
    return Array.from({ length: this.count }, (_, k) => [
      1.5 * ((k % side) - (side - 1) / 2), 1.5 * (Math.floor(k / side) - (side - 1) / 2), this.count > 1 ? 2 * Math.PI * this.dice.uniform() : 0,
    ]);
  }
  somewhere() {
    const away = this.radius * Math.sqrt(this.dice.uniform()), angle = 2 * Math.PI * this.dice.uniform();
    return [away * Math.sin(angle), away * Math.cos(angle)];
  }
  // Sends all figures to places about a point, the nearest figures to the innermost ones.
  gather([x, z], places) {
    const order = Array.from({ length: this.count }, (_, k) => k);
    const far = (k) => Math.hypot(places[3 * k] - x, places[3 * k + 1] - z);
    order.sort((one, other) => far(one) - far(other)).forEach((k, rank) => {
      const away = 0.75 * Math.sqrt(rank), angle = 2.39996 * rank; // evenly spread, as the seeds of a sunflower
      this.goals[k] = [x + away * Math.sin(angle), z + away * Math.cos(angle)];
      this.idle[k] = 0;
    });
  }
  // Returns the sticks of all figures at places `(3 · count)` of x, z and heading, `seconds` after the last ones.
  sticks(places, seconds) {
    return Array.from({ length: this.count }, (_, k) => this.stick(k, places, seconds));
  }
  stick(k, places, seconds) {
    const [x, z, heading] = places.subarray(3 * k, 3 * k + 3);
    let [toX, toZ] = [this.goals[k][0] - x, this.goals[k][1] - z];
    const far = Math.hypot(toX, toZ);
    if (far < NEARBY) {
      this.idle[k] += seconds;
      if (this.idle[k] > 1 + 5 * this.pace[k]) [this.goals[k], this.idle[k]] = [this.somewhere(), 0];
      return { forward: 0, sideways: 0, turn: 0 };
    }
    [toX, toZ] = [toX / far, toZ / far];
    for (let other = 0; other < this.count; other++) { // neighbours push it aside, more the nearer they are
      const dx = x - places[3 * other], dz = z - places[3 * other + 1], apart = Math.hypot(dx, dz);
      if (other === k || apart > KEPT_APART || apart < 1e-6) continue;
      const push = 1.5 * (1 - apart / KEPT_APART) / apart;
      toX += push * (dx + 0.4 * dz); // and to one side, so that two that meet pass each other
      toZ += push * (dz - 0.4 * dx);
    }
    const off = Math.atan2(toX, toZ) - heading, error = off - 2 * Math.PI * Math.round(off / (2 * Math.PI));
    const ahead = Math.abs(error) > SHARP ? 0 : Math.cos(error) * Math.min(1, 0.3 + far / 2);
    return { forward: this.pace[k] * ahead, sideways: 0, turn: clamp(1.4 * error, -1, 1) };
  }
}
