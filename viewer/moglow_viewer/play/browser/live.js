"use strict";
// A take that grows frame by frame, with its last minute in a ring buffer; and the path that is drawn and followed.

const KEPT = 60; // seconds in the buffer
const FLOOR = 3; // seconds whose lowest height of a toe is taken as the floor

class LiveTake extends Track {
  constructor(fps, figure) {
    super({ fps, points: figure.points, frames: 0 }, new Float32Array(KEPT * fps * 3 * figure.points));
    Object.assign(this, figure, { shown: true, prints: [], standing: figure.toes.map(() => null), kept: KEPT * fps });
    this.feet = new Uint8Array(this.kept * this.toes.length);
    this.track = [];
  }
  get first() { return Math.max(0, this.frames - this.kept); }
  offset(frame) { return (frame % this.kept) * this.columns; }
  foot(frame, leg) { return this.feet[(frame % this.kept) * this.toes.length + leg]; }

  add(points, [x, z]) {
    const frame = this.frames++;
    this.values.set(points, this.offset(frame));
    const height = points[3 * this.hips + 1], before = this.track[this.track.length - 1];
    this.track.push([x, before ? before[1] + (height - before[1]) / this.fps : height, z]);
    if (this.track.length > this.kept) this.track.shift();
    this.toes.forEach((_, leg) => this.plant(frame, leg));
    if (this.prints.length && this.prints[0].stop < this.first) this.prints.shift();
  }
  trackAt(seconds) {
    const frame = this.frameAt(seconds), next = Math.min(frame + 1, this.frames - 1), share = clamp(seconds * this.fps - frame, 0, 1);
    const [a, b] = [frame, next].map((each) => this.track[each - this.first]);
    return this.held || a.map((value, k) => value + (b[k] - value) * share);
  }
  speed(frame, point) { // over the floor, m/s
    const [a, b] = [Math.max(frame - 1, this.first), frame].map((each) => this.point(each, point));
    return Math.hypot(b[0] - a[0], b[2] - a[2]) * this.fps;
  }

  // Updates a foot's contact: it begins low and slow and ends high or fast, as in `moglow.motion.contacts`.
  plant(frame, leg) {
    const toe = this.toes[leg], [x, height, z] = this.point(frame, toe), { low, high, slow, fast, body } = this.contact;
    let floor = height;
    for (let k = Math.max(this.first, frame - FLOOR * this.fps); k < frame; k++) floor = Math.min(floor, this.point(k, toe)[1]);
    const speed = this.speed(frame, toe), size = this.lengths[leg], own = speed - body * this.speed(frame, this.hips);
    const stood = this.standing[leg], rise = height - floor;
    const stands = frame > 0 && rise < (stood ? high : low) * size && own < (stood ? fast : slow) * size;
    this.feet[(frame % this.kept) * this.toes.length + leg] = stands ? Math.min(Math.round(100 * speed), LIFTED - 1) : LIFTED;
    if (!stands) { this.standing[leg] = null; return; }
    const print = stood || { leg, start: frame, stop: frame, x: 0, z: 0, speed: 0 };
    if (!stood) this.prints.push((this.standing[leg] = print));
    const count = frame - print.start + 1;
    print.stop = frame;
    print.x += (x - print.x) / count;
    print.z += (z - print.z) / count;
    print.speed += (100 * speed - print.speed) / count;
  }
}

// The drawn path, which is followed from frame `began` on.
class DrawnPath extends Track {
  constructor(fps, path) {
    const frames = path.headings.length, values = new Float32Array(6 * frames);
    path.positions.forEach(([x, z], k) => {
      const heading = path.headings[k];
      values.set([x, 0, z, x + 0.35 * Math.sin(heading), 0, z + 0.35 * Math.cos(heading)], 6 * k);
    });
    super({ fps, points: 2, frames }, values);
    Object.assign(this, { velocities: velocitiesOf(path, fps), began: 0 });
  }
  frameAt(seconds) { return super.frameAt(seconds - this.began / this.fps); }
  // Returns the velocities of a step and of the following ones; zero after the end.
  ahead(step, count) {
    return Array.from({ length: count }, (_, k) => this.velocities[step + k] || [0, 0, 0]);
  }
}

// The scene with a line that is being drawn, a pin on the floor, and a ball.
class LiveScene extends Scene {
  drawGrid() {
    super.drawGrid();
    if (this.pin) this.drawPin();
    if (!this.sketch) return;
    this.pen.beginPath();
    this.sketch.points.forEach(([x, z], k, all) => { if (k) this.floorLine(...all[k - 1], x, z); });
    this.stroke(this.colours.asked, 0.9, 3);
  }
  draw(time, colours) {
    super.draw(time, colours);
    if (this.ball) this.drawBall();
  }
  drawPin() {
    const [x, z] = this.pin, corners = Array.from({ length: 25 }, (_, k) => (k * Math.PI) / 12);
    for (const radius of [0.12, 0.24]) {
      this.pen.beginPath();
      corners.slice(1).forEach((angle, k) => this.floorLine(x + radius * Math.sin(corners[k]), z + radius * Math.cos(corners[k]),
        x + radius * Math.sin(angle), z + radius * Math.cos(angle)));
      this.stroke(this.colours.asked, 0.9, 2);
    }
  }
  drawBall() {
    const { pen } = this, [x, y, z] = this.ball, [place, foot] = [this.seen(x, y, z), this.seen(x, 0, z)];
    if (place[2] < NEAR || foot[2] < NEAR) return;
    const at = this.project(place), under = this.project(foot), radius = Math.max(this.ballRadius * at.scale, 4);
    pen.beginPath();
    pen.moveTo(at.x, at.y);
    pen.lineTo(under.x, under.y);
    this.stroke(this.colours.asked, 0.35, 1);
    pen.beginPath();
    pen.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    pen.fillStyle = css(this.colours.asked, 0.75);
    pen.fill();
    this.stroke(this.colours.ink, 0.5, 1);
  }
  // Returns the point of the world under a pointer at the distance of another point.
  pointUnder(event, [x, y, z]) {
    const { left, top } = this.canvas.getBoundingClientRect(), depth = this.seen(x, y, z)[2];
    const right = ((event.clientX - left - this.width / 2) * depth) / this.focal;
    const up = ((this.height / 2 - (event.clientY - top)) * depth) / this.focal, ahead = depth - this.camera.distance;
    return this.target.map((part, k) => part + right * this.right[k] + up * this.up[k] + ahead * this.ahead[k]);
  }
  ballUnder(event, grip) {
    if (!this.ball) return false;
    const { left, top } = this.canvas.getBoundingClientRect(), { x, y, scale } = this.project(this.seen(...this.ball));
    return Math.hypot(event.clientX - left - x, event.clientY - top - y) < Math.max(grip, this.ballRadius * scale);
  }
  floorUnder(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return this.floorAt(event.clientX - left, event.clientY - top);
  }
}
