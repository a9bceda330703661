"use strict";
// From a stick to velocities by critically damped springs in closed form. A port of `moglow.paths.steering`.

class Steering {
  constructor(facts) { Object.assign(this, facts); } // seen, fps, response, walk, back, side, turn, twist

  // Returns the velocities of a stick, -1 to 1 along each axis, left positive: forward, sideways (m/s), turn (rad/s).
  wanted({ forward, sideways, turn, hurry = 1 }) {
    const length = Math.max(1, Math.hypot(forward, sideways)), pace = forward > 0 ? this.walk : this.back;
    return this.clamped([(hurry * pace * forward) / length, (hurry * this.side * sideways) / length, this.turn * turn]);
  }
  clamped([forward, sideways, turn]) {
    const { seen } = this;
    return [clamp(forward, -seen.backward, seen.forward), clamp(sideways, -seen.sideways, seen.sideways), clamp(turn, -seen.turn, seen.turn)];
  }
  step(moving, wanted) { return this.held(moving, wanted, 1 / this.fps); }
  // Returns what a model sees of the future: the velocities of `step`, then the wanted ones.
  ahead(moving, wanted, frames) {
    const next = this.step(moving, wanted).velocities, goal = this.clamped(wanted);
    return Array.from({ length: frames }, (_, k) => (k ? goal : next));
  }
  // Returns whether a figure goes sideways, as `Steering.aside`; files of weights may be without the limits.
  aside(coming, before) {
    const [ahead, aside, turn] = [0, 1, 2].map((k) => Math.max(...coming.map((rates) => Math.abs(rates[k]))));
    return aside > Math.max(this.going ?? Infinity, ahead) || (before && ahead <= this.going && turn <= this.turning);
  }
  // Returns the distance along each axis until the figure is at rest after the stick is released.
  coast({ velocities, accelerations }) {
    return velocities.map((velocity, k) => (2 * velocity + accelerations[k] / this.response) / this.response);
  }
  // Returns the angle by which the upper body is turned to the left of the hips; files of weights may be without it.
  twisting({ accelerations }) { return (this.twist ?? 0) * accelerations[2]; }
  held({ velocities, accelerations }, wanted, seconds) {
    const goal = this.clamped(wanted), fading = Math.exp(-this.response * seconds);
    const away = velocities.map((velocity, k) => velocity - goal[k]);
    const pull = accelerations.map((acceleration, k) => acceleration + this.response * away[k]);
    return {
      velocities: goal.map((wish, k) => wish + (away[k] + pull[k] * seconds) * fading),
      accelerations: accelerations.map((acceleration, k) => (acceleration - this.response * seconds * pull[k]) * fading),
    };
  }
}

const RESTING = { velocities: [0, 0, 0], accelerations: [0, 0, 0] };

// Returns the place [x, z, heading] one frame after another.
function walked([x, z, heading], [forward, sideways, turn], fps) {
  const middle = heading + turn / fps / 2, sine = Math.sin(middle), cosine = Math.cos(middle);
  return [x + (forward * sine + sideways * cosine) / fps, z + (forward * cosine - sideways * sine) / fps, heading + turn / fps];
}
