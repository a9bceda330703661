"use strict";
// The picture of many figures: bones as strokes of three colours and two widths for each figure, the farthest first.

class CrowdScene extends Scene {
  constructor(canvas, figure, count, camera) {
    super(canvas, [], null, camera);
    Object.assign(this, { figure, count, screen: new Float32Array(3 * figure.points), floor: new Float32Array(2 * figure.points) });
    const wide = figure.bones.map(([, , from, to]) => (from + to) / 2000), middle = (Math.max(...wide) + Math.min(...wide)) / 2;
    this.strokes = [0, 1, 2].flatMap((side) => [true, false].map((thick) => {
      const bones = figure.bones.filter(([, , , , of], k) => (of + 3) % 3 === side && wide[k] > middle === thick);
      const widths = bones.map(([, , from, to]) => (from + to) / 1000);
      return { side, bones, width: widths.reduce((sum, width) => sum + width, 0) / Math.max(1, widths.length) };
    })).filter(({ bones }) => bones.length);
  }
  // Draws the figures between two frames, `share` of the way from the first to the second.
  show(before, after, share, colours) {
    const { count, figure: { points, hips } } = this, size = 3 * points, values = (this.values ||= new Float32Array(count * size));
    for (let k = 0; k < values.length; k++) values[k] = before[k] + (after[k] - before[k]) * share;
    this.centres = Array.from({ length: count }, (_, k) => values.subarray(k * size + 3 * hips, k * size + 3 * hips + 3));
    const { width, height } = this.canvas.getBoundingClientRect();
    Object.assign(this, { colours, width, height, time: 0 });
    this.aim();
    this.pen.lineCap = this.pen.lineJoin = "round";
    this.pen.fillStyle = css(colours.ground);
    this.pen.fillRect(0, 0, width, height);
    this.drawGrid();
    const order = this.centres.map(([x, y, z], k) => ({ k, depth: this.seen(x, y, z)[2] })).sort((a, b) => b.depth - a.depth);
    for (const { k } of order) this.drawShadow(values.subarray(k * size, (k + 1) * size));
    for (const { k, depth } of order) if (depth > NEAR) this.drawFigure(values.subarray(k * size, (k + 1) * size), depth);
  }
  following() { return this.overview(); }
  overview() {
    const { centres, figure } = this, target = [0, 1, 2].map((axis) => centres.reduce((sum, each) => sum + each[axis], 0) / centres.length);
    const away = centres.map(([x, , z]) => Math.hypot(x - target[0], z - target[2])).sort((a, b) => a - b);
    const reach = figure.size * 1.12 + 0.6 * away[Math.floor(0.9 * (away.length - 1))];
    this.reach = this.reach ? this.reach + 0.02 * (reach - this.reach) : reach; // the view widens and narrows gradually
    return { target, reach: this.reach };
  }
  place(pose, k, flat) { // a point on the screen, or its shadow on the floor
    const { target, right, up, ahead, camera, focal, width, height } = this;
    const x = pose[3 * k] - target[0], y = (flat ? 0 : pose[3 * k + 1]) - target[1], z = pose[3 * k + 2] - target[2];
    const depth = Math.max(ahead[0] * x + ahead[1] * y + ahead[2] * z + camera.distance, NEAR), scale = focal / depth;
    this.x = width / 2 + scale * (right[0] * x + right[1] * y + right[2] * z);
    this.y = height / 2 - scale * (up[0] * x + up[1] * y + up[2] * z);
  }
  drawShadow(pose) {
    const { pen, figure: { hips, toes } } = this;
    pen.beginPath();
    this.place(pose, hips, true);
    const [x, y] = [this.x, this.y];
    for (const toe of toes) {
      pen.moveTo(x, y);
      this.place(pose, toe, true);
      pen.lineTo(this.x, this.y);
    }
    this.stroke(this.colours.shadow, 0.3, Math.max(2, (0.3 * this.figure.size * this.focal * Math.max(0.3, Math.abs(Math.sin(this.camera.pitch)))) / this.camera.distance));
  }
  drawFigure(pose, depth) {
    const { pen, screen, colours, figure: { points } } = this, tints = [colours.body, colours.left, colours.right];
    for (let k = 0; k < points; k++) {
      this.place(pose, k, false);
      screen[2 * k] = this.x;
      screen[2 * k + 1] = this.y;
    }
    for (const { side, bones, width } of this.strokes) {
      pen.beginPath();
      for (const [from, to] of bones) {
        pen.moveTo(screen[2 * from], screen[2 * from + 1]);
        pen.lineTo(screen[2 * to], screen[2 * to + 1]);
      }
      this.stroke(tints[side], 1, Math.max(1, (width * this.focal) / depth));
    }
  }
}
