"use strict";
// Ground that is not flat; only on pages that have one. Between the motion and the picture.

// Ground that is not flat: heights on a grid of points, and triangles to be painted.
class Ground {
  constructor(packed, values) {
    Object.assign(this, packed, { values, rows: packed.heights.frames, columns: packed.heights.points });
  }
  heightAt(x, z) { // between four points of the grid; beyond it as at its border
    const { cell, values, rows, columns } = this;
    const u = clamp((x - values[0]) / cell, 0, columns - 1), v = clamp((z - values[2]) / cell, 0, rows - 1);
    const i = Math.min(Math.floor(u), columns - 2), j = Math.min(Math.floor(v), rows - 2), s = u - i, t = v - j;
    const at = (row, column) => values[3 * (row * columns + column) + 1];
    return (1 - t) * ((1 - s) * at(j, i) + s * at(j, i + 1)) + t * ((1 - s) * at(j + 1, i) + s * at(j + 1, i + 1));
  }
  facing(corners) { // how much a triangle faces up: 1 is level, 0 a wall
    const [a, b, c] = corners.map((k) => this.vertices[k]), u = b.map((x, k) => x - a[k]), v = c.map((x, k) => x - a[k]);
    const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    return Math.abs(normal[1]) / Math.max(Math.hypot(...normal), 1e-9);
  }

  // Triangles from far to near, lighter where they face up.
  draw(scene) {
    const { pen, colours } = scene, seen = this.vertices.map(([x, y, z]) => scene.seen(x, y, z));
    const faces = this.faces.map((corners) => ({ corners, depth: corners.reduce((sum, k) => sum + seen[k][2], 0) }));
    faces.sort((one, other) => other.depth - one.depth);
    for (const { corners } of faces) {
      if (corners.some((k) => seen[k][2] < NEAR)) continue;
      const [a, b, c] = corners.map((k) => scene.project(seen[k]));
      pen.beginPath();
      pen.moveTo(a.x, a.y);
      pen.lineTo(b.x, b.y);
      pen.lineTo(c.x, c.y);
      pen.closePath();
      pen.fillStyle = pen.strokeStyle = css(mix(colours.ground, colours.grid, 0.25 + 0.6 * (1 - this.facing(corners))));
      pen.lineWidth = 0.7; // closes the seam to the next triangle
      pen.fill();
      pen.stroke();
    }
  }
}
