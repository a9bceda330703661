"use strict";
// Pins that the user sets: a place on the floor to walk to, and a ball for which a hand reaches.

const CLICK = 6; // pixels that a pointer may move during a click
const HOLD = 500; // milliseconds that a click may last
const GRIP = 24; // pixels around the ball in which it is grasped
const BALL = 0.06; // radius of the ball in metres
const AT_EASE = 0.98; // share of an arm's length within which it reaches fully; it begins at `FARTHEST`
const FARTHEST = 1.5;
const SIDEWAYS = [80, 115].map((degrees) => (degrees * Math.PI) / 180); // angles to the body's front at which a reach fades out
const FOLDED = (150 * Math.PI) / 180; // largest bend of an elbow
const EAGERNESS = 7; // rates, per second, at which an arm is raised and lowered, and follows the ball
const FOLLOWING = 12;
const SWING = 9; // largest speed at which an arm swings, rad/s
const FASTEST = 3; // largest speed of a hand that follows the ball, m/s

const scaled = (a, factor) => a.map((part) => part * factor);
const cross = ([ax, ay, az], [bx, by, bz]) => [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
const dot = (a, b) => a.reduce((sum, part, k) => sum + part * b[k], 0);
const unit = (a) => scaled(a, 1 / Math.max(Math.hypot(...a), 1e-12));
const smoothstep = (share) => { const at = clamp(share, 0, 1); return at * at * (3 - 2 * at); };

// Returns the rotation about a unit axis, and the smallest one that turns a direction into another.
const about = (axis, angle) => [Math.cos(angle / 2), ...scaled(axis, Math.sin(angle / 2))];
function turnBetween(from, to) {
  const [a, b] = [unit(from), unit(to)], w = 1 + dot(a, b);
  if (w < 1e-9) return [0, ...unit(cross(a, Math.abs(a[0]) < 0.9 ? [1, 0, 0] : [0, 1, 0]))];
  const turn = [w, ...cross(a, b)];
  return scaled(turn, 1 / Math.hypot(...turn));
}

// A hand that reaches for a ball: two-bone inverse kinematics on top of the model's pose, within the limits of an arm.
class Reach {
  constructor(body, arms, fps) { Object.assign(this, { body, arms, fps, ball: null, chased: null, arm: null, way: null, share: 0 }); }

  // Returns the pose with the arm moved towards the ball, and remembers the distance that is left.
  applied(shown, heading) {
    this.left = null;
    if (!this.ball && this.share < 1e-3) {
      Object.assign(this, { share: 0, chased: null, arm: null, way: null });
      return shown;
    }
    const world = this.body.worlds(shown), rate = (eager) => 1 - Math.exp(-eager / this.fps);
    if (this.ball) this.chased = this.chased ? this.follow(rate(FOLLOWING)) : this.ball;
    const ease = this.arms.map((arm) => this.ease(arm, world, heading));
    const best = this.arms[ease.indexOf(Math.max(...ease))];
    if (this.share < 0.02 && this.arm !== best) Object.assign(this, { arm: best, way: null });
    const wanted = this.ball && this.arm === best ? Math.max(...ease) : 0;
    this.share += (wanted - this.share) * rate(EAGERNESS);
    return this.share < 1e-3 ? shown : this.bent(shown, world);
  }

  follow(share) {
    const away = Math.hypot(...minus(this.ball, this.chased));
    return mix(this.chased, this.ball, Math.min(share, FASTEST / this.fps / Math.max(away, 1e-9)));
  }
  // Returns how well an arm can reach the ball, 0 to 1, by its distance and its direction.
  ease({ joints: [upper, fore, hand] }, { places }, heading) {
    const span = this.length(places, upper, fore) + this.length(places, fore, hand);
    const line = minus(this.chased, places[upper]), distance = Math.hypot(...line) / span;
    const aside = Math.atan2(line[0], line[2]) - heading, off = Math.abs(aside - 2 * Math.PI * Math.round(aside / (2 * Math.PI)));
    const flat = Math.hypot(line[0], line[2]) / span; // a ball straight above has no direction
    const near = smoothstep((FARTHEST - distance) / (FARTHEST - AT_EASE));
    const ahead = smoothstep((SIDEWAYS[1] - off) / (SIDEWAYS[1] - SIDEWAYS[0]));
    return near * (flat < 0.2 ? 1 : ahead) * (1 - 0.05 * Math.min(distance, 1));
  }
  length(places, one, other) { return Math.hypot(...minus(places[one], places[other])); }

  // Returns the direction from the shoulder to the hand, which turns at a limited speed.
  swung(hanging, wanted) {
    const from = this.way || hanging, turn = turnBetween(from, wanted), angle = 2 * Math.acos(clamp(turn[0], -1, 1));
    const most = SWING / this.fps;
    this.way = angle > most ? rotated(about(unit(turn.slice(1)), most), from) : wanted;
    return this.way;
  }

  // Turns the elbow to the right distance, then the shoulder to the right direction.
  bent(shown, { places, facing }) {
    const [upper, fore, hand] = this.arm.joints, [shoulder, elbow, wrist] = [upper, fore, hand].map((joint) => places[joint]);
    const [a, b] = [this.length(places, upper, fore), this.length(places, fore, hand)];
    const goal = mix(wrist, this.chased, Math.min(this.share / 0.95, 1)), span = Math.hypot(...minus(goal, shoulder));
    const line = this.swung(unit(minus(wrist, shoulder)), unit(minus(goal, shoulder)));
    const least = Math.sqrt(a * a + b * b + 2 * a * b * Math.cos(FOLDED));
    const reach = clamp(span, least, a + b - 1e-4);
    const [along, lower] = [minus(elbow, shoulder), minus(wrist, elbow)], hinge = cross(along, lower);
    const bend = Math.acos(clamp(dot(unit(along), unit(lower)), -1, 1));
    const asked = Math.acos(clamp((reach * reach - a * a - b * b) / (2 * a * b), -1, 1));
    const axis = Math.hypot(...hinge) > 1e-6 * a * b ? unit(hinge) : rotated(facing[this.body.hips], [-1, 0, 0]);
    const elbowTurn = about(axis, asked - bend), moved = plus(elbow, rotated(elbowTurn, lower));
    const swing = turnBetween(minus(moved, shoulder), line);
    const turns = shown.turns.slice(), above = (joint) => facing[this.body.parents[joint]];
    turns[upper] = turned(back(above(upper)), turned(swing, facing[upper]));
    turns[fore] = turned(back(turned(swing, above(fore))), turned(swing, turned(elbowTurn, facing[fore])));
    const there = plus(shoulder, rotated(swing, minus(moved, shoulder)));
    this.left = this.ball && Math.hypot(...minus(this.ball, there));
    return { ...shown, turns };
  }
}

// Tells clicks on the floor from drags, and moves the ball that is grasped.
class PinPointer {
  constructor(view, { clicked, grasped, moved }) {
    let down = null, known = document.body.classList.contains("touched");
    view.addEventListener("pointerdown", (event) => {
      if (event.button || !event.isPrimary) { down = null; return; }
      const first = event.pointerType === "touch" && !known; // the first touch only shows the sticks
      known = known || first;
      down = { x: event.clientX, y: event.clientY, at: event.timeStamp, ball: grasped(event), first };
      if (down.ball) view.setPointerCapture(event.pointerId);
    });
    view.addEventListener("pointermove", (event) => { if (down?.ball && event.isPrimary) moved(event); });
    view.addEventListener("pointercancel", () => { down = null; });
    view.addEventListener("pointerup", (event) => {
      const began = down;
      down = null;
      if (!began || began.ball || began.first || event.timeStamp - began.at > HOLD) return;
      if (Math.hypot(event.clientX - began.x, event.clientY - began.y) <= CLICK) clicked(event);
    });
  }
}
