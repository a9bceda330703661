"use strict";
// The picture of a page: a floor in metres, paths, footprints, shadows and bodies. Second script.

const LENS = Math.tan(Math.PI / 14); // of half the field of view, narrow so that perspective distorts bodies little
const NEAR = 0.1; // clipping distance in metres
const SKATING = 40; // speed in cm/s from which a sliding foot is red
const WHITE = [255, 255, 255], BLACK = [0, 0, 0];

const mix = (a, b, share) => a.map((value, k) => value + (b[k] - value) * share);
const css = ([r, g, b], alpha = 1) => `rgba(${r | 0},${g | 0},${b | 0},${alpha})`;

class Scene {
  constructor(canvas, takes, asked, camera, ground = null) {
    Object.assign(this, { canvas, pen: canvas.getContext("2d"), takes, asked, camera, ground });
  }

  draw(time, colours) {
    const { pen, canvas } = this, { width, height } = canvas.getBoundingClientRect();
    Object.assign(this, { time, colours, width, height });
    this.shown = this.takes.map((take, k) => ({ take, tints: this.tints(k) })).filter(({ take }) => take.shown);
    this.aim();
    pen.lineCap = pen.lineJoin = "round";
    pen.fillStyle = css(colours.ground);
    pen.fillRect(0, 0, width, height);
    if (this.ground) this.ground.draw(this);
    else this.drawGrid();
    if (this.asked) this.drawAsked();
    for (const each of this.shown) this.drawWay(each);
    for (const each of this.shown) this.drawFootprints(each);
    const bones = this.shown.flatMap((each) => this.posed(each));
    bones.sort((one, other) => other.depth - one.depth);
    for (const bone of bones) this.drawBone(bone);
  }

  // A single take has a colour per side; several have one colour each, lighter on the left and darker on the right.
  tints(k) {
    const { colours } = this, take = colours.takes[k % colours.takes.length];
    return this.takes.length > 1
      ? { way: take, sides: [take, mix(take, WHITE, 0.35), mix(take, BLACK, 0.3)] }
      : { way: colours.accent, sides: [colours.body, colours.left, colours.right] };
  }

  // ---- the camera ----

  aim() {
    const { camera } = this, { target, reach } = camera.mode === "follow" ? this.following() : this.overview();
    const [sy, cy] = [Math.sin(camera.yaw), Math.cos(camera.yaw)];
    const [sp, cp] = [Math.sin(camera.pitch), Math.cos(camera.pitch)];
    camera.distance = reach / (LENS * Math.min(1, this.width / this.height)) / camera.zoom;
    this.target = target;
    this.right = [cy, 0, -sy];
    this.up = [-sp * sy, cp, -sp * cy];
    this.ahead = [-cp * sy, -sp, -cp * cy];
    this.focal = this.height / 2 / LENS;
  }
  following() {
    const around = this.shown.length ? this.shown.map(({ take }) => take) : this.takes;
    const places = around.map((take) => take.trackAt(this.time));
    const target = [0, 1, 2].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length);
    const reach = Math.max(...around.map((take, k) =>
      take.size * 1.12 + 0.6 * Math.hypot(places[k][0] - target[0], places[k][2] - target[2])));
    return { target, reach };
  }
  overview() {
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    const size = Math.max(...this.takes.map((take) => take.size));
    const ways = this.takes.map((take) => take.track);
    if (this.asked) ways.push(Array.from({ length: this.asked.frames }, (_, k) => this.asked.point(k, 0)));
    for (const way of ways) {
      for (const [x, , z] of way) {
        low[0] = Math.min(low[0], x); low[1] = Math.min(low[1], z);
        high[0] = Math.max(high[0], x); high[1] = Math.max(high[1], z);
      }
    }
    const target = [(low[0] + high[0]) / 2, this.camera.mode === "top" ? 0 : size / 2, (low[1] + high[1]) / 2];
    return { target, reach: 0.35 * Math.hypot(high[0] - low[0], high[1] - low[1]) + size };
  }

  // Returns camera coordinates: right, up, and depth.
  seen(x, y, z) {
    const dx = x - this.target[0], dy = y - this.target[1], dz = z - this.target[2];
    const along = ([ax, ay, az]) => ax * dx + ay * dy + az * dz;
    return [along(this.right), along(this.up), along(this.ahead) + this.camera.distance];
  }
  project([right, up, depth]) {
    const scale = this.focal / depth;
    return { x: this.width / 2 + right * scale, y: this.height / 2 - up * scale, scale, depth };
  }
  // Adds a straight line on the floor to the pen's path, clipped at the near plane.
  floorLine(x0, z0, x1, z1) {
    let a = this.seen(x0, this.heightAt(x0, z0), z0), b = this.seen(x1, this.heightAt(x1, z1), z1);
    if (a[2] < NEAR && b[2] < NEAR) return;
    if (a[2] < NEAR) a = mix(a, b, (NEAR - a[2]) / (b[2] - a[2]));
    else if (b[2] < NEAR) b = mix(b, a, (NEAR - b[2]) / (a[2] - b[2]));
    const from = this.project(a), to = this.project(b);
    this.pen.moveTo(from.x, from.y);
    this.pen.lineTo(to.x, to.y);
  }
  // Returns the place [x, z] on the floor at a point of the screen; null above the horizon.
  floorAt(px, py) {
    const right = (px - this.width / 2) / this.focal, up = (this.height / 2 - py) / this.focal;
    const way = this.ahead.map((part, axis) => part + right * this.right[axis] + up * this.up[axis]);
    const eye = this.target.map((part, axis) => part - this.ahead[axis] * this.camera.distance);
    return way[1] < -1e-3 ? [0, 2].map((axis) => eye[axis] - (way[axis] * eye[1]) / way[1]) : null;
  }
  heightAt(x, z) {
    return this.ground ? this.ground.heightAt(x, z) : 0;
  }
  stroke(colour, alpha, width) {
    Object.assign(this.pen, { strokeStyle: css(colour, alpha), lineWidth: width });
    this.pen.stroke();
  }

  // ---- the floor ----

  // Draws a line per metre, every fifth one stronger, fading with the distance; in a wide view one per five metres.
  drawGrid() {
    const { pen, target, camera } = this, radius = Math.min(Math.max(2 * camera.distance, 8), 120);
    const metres = radius > 40 ? 5 : 1, fades = 6;
    for (const strong of [false, true]) {
      const shades = Array.from({ length: fades }, () => []);
      for (const axis of [0, 2]) {
        const other = 2 - axis, first = Math.ceil((target[axis] - radius) / metres) * metres;
        for (let line = first; line < target[axis] + radius; line += metres) {
          if ((line % (5 * metres) === 0) !== strong) continue;
          for (let piece = -8; piece < 8; piece++) {
            const from = target[other] + (piece * radius) / 8, to = from + radius / 8;
            const away = Math.hypot(line - target[axis], (piece + 0.5) * (radius / 8)) / radius;
            if (away < 1) shades[Math.floor((1 - away) * fades)].push(axis ? [from, line, to, line] : [line, from, line, to]);
          }
        }
      }
      shades.forEach((pieces, k) => {
        pen.beginPath();
        for (const piece of pieces) this.floorLine(...piece);
        this.stroke(this.colours.grid, ((k + 1) / fades) * (strong ? 0.75 : 0.33), 1);
      });
    }
  }

  // Draws the requested path in dashes of 0.1 s, an arrow for the heading every second, and the current position.
  drawAsked() {
    const { pen, asked, colours } = this, dash = asked.fps / 10, last = asked.frames - 1;
    pen.beginPath();
    for (let from = 0; from < last; from += 2 * dash) {
      const [a, b] = [from, Math.min(from + dash, last)].map((frame) => asked.point(Math.round(frame), 0));
      this.floorLine(a[0], a[2], b[0], b[2]);
    }
    this.stroke(colours.asked, 0.9, 2.5);
    pen.beginPath();
    for (let frame = 0; frame <= last; frame += asked.fps) this.arrow(...asked.ends(Math.round(frame)));
    this.stroke(colours.asked, 0.45, 1.5);
    const now = asked.ends(asked.frameAt(this.time));
    pen.beginPath();
    this.arrow(...now);
    this.disc(now[0], 0.14);
    this.stroke(colours.asked, 1, 2.5);
  }
  arrow([x, , z], [tipX, , tipZ]) {
    const [ax, az] = [(tipX - x) * 0.3, (tipZ - z) * 0.3];
    this.floorLine(x, z, tipX, tipZ);
    this.floorLine(tipX, tipZ, tipX - ax - az * 0.6, tipZ - az + ax * 0.6);
    this.floorLine(tipX, tipZ, tipX - ax + az * 0.6, tipZ - az - ax * 0.6);
  }
  disc([x, , z], radius) {
    for (let k = 0; k <= 16; k++) {
      const angle = (k * Math.PI) / 8;
      const point = this.seen(x + radius * Math.sin(angle), this.heightAt(x, z), z + radius * Math.cos(angle));
      if (point[2] < NEAR) return;
      const { x: px, y: py } = this.project(point);
      if (k) this.pen.lineTo(px, py);
      else this.pen.moveTo(px, py);
    }
  }

  // Draws the hips' track, strong up to the current time.
  drawWay({ take, tints }) {
    const { pen } = this, step = Math.max(1, Math.round(take.fps / 15)), now = take.frameAt(this.time);
    for (const [from, to, alpha] of [[take.first, now, 0.9], [now, take.frames - 1, 0.35]]) {
      pen.beginPath();
      for (let frame = from; frame < to; frame += step) {
        const a = take.point(frame, take.hips), b = take.point(Math.min(frame + step, to), take.hips);
        this.floorLine(a[0], a[2], b[0], b[2]);
      }
      this.stroke(tints.way, alpha, 2);
    }
  }

  // Draws a disc at each planted foot, from green to red by its sliding speed; past and future ones are faint.
  drawFootprints({ take }) {
    const { pen, time } = this, now = take.frameAt(time), pose = take.at(time);
    for (const print of take.prints) {
      const standing = print.start <= now && now <= print.stop, toe = 3 * take.toes[print.leg];
      const speed = standing ? take.foot(now, print.leg) : print.speed;
      pen.beginPath();
      this.disc(standing ? pose.subarray(toe, toe + 3) : [print.x, 0, print.z], take.size * (standing ? 0.1 : 0.05));
      pen.fillStyle = css(this.slideColour(speed), standing ? 0.8 : 0.35);
      pen.fill();
    }
  }
  slideColour(speed) {
    const { still, sliding, skating } = this.colours, share = Math.min((2 * speed) / SKATING, 2);
    return share < 1 ? mix(still, sliding, share) : mix(sliding, skating, share - 1);
  }

  // ---- bodies ----

  // Returns the bones of a take on the screen and draws their shadow, by faint strokes from wide to narrow.
  posed({ take, tints }) {
    const { pen } = this, pose = take.at(this.time), bones = [];
    const flat = Math.max(Math.abs(Math.sin(this.camera.pitch)), 0.06); // foreshortening of strokes on the floor
    const tinted = tints.sides.map((base) => ({
      light: css(mix(base, WHITE, 0.3)), base: css(base), dark: css(mix(base, BLACK, 0.28)),
      edge: css(mix(base, BLACK, 0.5), 0.55),
    }));
    pen.save();
    pen.scale(1, flat);
    pen.beginPath();
    let scale = 0;
    for (const [from, to, fromRadius, toRadius, side] of take.bones) {
      const ends = [[from, fromRadius], [to, toRadius]].map(([k, radius]) => {
        const [x, y, z] = [pose[3 * k], pose[3 * k + 1], pose[3 * k + 2]];
        const floor = this.heightAt(x, z), aside = 0.12 * (y - floor);
        const point = this.seen(x, y, z), under = this.seen(x - aside, floor, z - aside);
        return { point, under, radius: radius / 1000 };
      });
      if (ends.some(({ point, under }) => point[2] < NEAR || under[2] < NEAR)) continue;
      const [a, b] = ends.map(({ point, radius }) => {
        const end = this.project(point);
        return { ...end, radius: radius * end.scale };
      });
      const [c, d] = ends.map(({ under }) => this.project(under));
      scale = Math.max(scale, c.scale);
      pen.moveTo(c.x, c.y / flat);
      pen.lineTo(d.x, d.y / flat);
      bones.push({ a, b, tint: tinted[(side + 3) % 3], depth: (a.depth + b.depth) / 2 });
    }
    for (let width = 0.3; width > 0.04; width -= 0.025) this.stroke(this.colours.shadow, 0.032, width * take.size * scale);
    pen.restore();
    return bones;
  }

  drawBone({ a, b, tint }) {
    const { pen } = this, dx = b.x - a.x, dy = b.y - a.y, length = Math.hypot(dx, dy);
    const radius = Math.max(a.radius, b.radius);
    let nx = -0.5, ny = -0.87; // direction of the light
    if (length > radius / 4) {
      const sign = dy * 0.5 - dx * 0.87 > 0 ? 1 : -1; // selects the normal that faces the light
      [nx, ny] = [(-dy / length) * sign, (dx / length) * sign];
    }
    const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
    const gradient = pen.createLinearGradient(x + nx * radius, y + ny * radius, x - nx * radius, y - ny * radius);
    gradient.addColorStop(0, tint.light);
    gradient.addColorStop(0.45, tint.base);
    gradient.addColorStop(1, tint.dark);
    pen.beginPath();
    if (length <= Math.abs(a.radius - b.radius) + 1e-6) {
      const ball = a.radius > b.radius ? a : b;
      pen.arc(ball.x, ball.y, ball.radius, 0, 2 * Math.PI);
    } else { // two arcs, joined by the common tangents
      const along = Math.atan2(dy, dx), open = Math.acos((a.radius - b.radius) / length);
      pen.arc(a.x, a.y, a.radius, along + open, along - open + 2 * Math.PI);
      pen.arc(b.x, b.y, b.radius, along - open, along + open);
      pen.closePath();
    }
    pen.fillStyle = gradient;
    pen.fill();
    pen.strokeStyle = tint.edge;
    pen.lineWidth = 1;
    pen.stroke();
  }
}
