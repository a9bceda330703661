"use strict";
// Recordings as files: a BVH file of the motion, and a CSV file of its path for `moglow generate --control`.

const DEGREES = 180 / Math.PI;

// Returns the Z, X and Y angles of a rotation that are nearest to the previous ones.
function turnToAngles([w, x, y, z], before) {
  const first = [
    Math.atan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z)),
    Math.asin(clamp(2 * (y * z + w * x), -1, 1)),
    Math.atan2(2 * (w * y - x * z), 1 - 2 * (x * x + y * y)),
  ];
  const nearest = (angles) => angles.map((angle, k) =>
    before ? angle - 2 * Math.PI * Math.round((angle - before[k]) / (2 * Math.PI)) : angle);
  const choices = [first, [first[0] + Math.PI, Math.PI - first[1], first[2] + Math.PI]].map(nearest);
  const away = (angles) => (before ? angles.reduce((sum, angle, k) => sum + Math.abs(angle - before[k]), 0) : 0);
  return away(choices[1]) < away(choices[0]) ? choices[1] : choices[0];
}

class Recording {
  constructor(fps) { Object.assign(this, { fps, frames: [] }); }
  add(turns, at, place, style) { this.frames.push({ turns, at, place, style }); }
  get seconds() { return Math.max(this.frames.length - 1, 0) / this.fps; }

  // `head` is the hierarchy as text, `order` its joints, `moving` the joints with a position, `bones` the offsets.
  toBvh({ head, order, moving, carrier, bones }) {
    const last = [], lines = this.frames.map(({ turns, at }) => order.flatMap((joint) => {
      const place = moving.includes(joint) ? (joint === carrier ? at : bones[joint]).map((metres) => 100 * metres) : [];
      last[joint] = turnToAngles(turns[joint], last[joint]);
      return [...place, ...last[joint].map((angle) => angle * DEGREES)];
    }).map((number) => number.toFixed(6)).join(" "));
    return `${head}Frames: ${lines.length}\nFrame Time: ${1 / this.fps}\n${lines.join("\n")}\n`;
  }

  // Rows need a style from the first one on; without it the column is left out.
  toCsv() {
    const styled = Boolean(this.frames[0].style);
    const lines = this.frames.map(({ place: [x, z, heading], style }, k) => [
      ...[k / this.fps, x, z, heading * DEGREES].map((number) => number.toFixed(6)), ...(styled ? [style] : []),
    ].join(","));
    const names = `t,x,z,heading${styled ? ",style" : ""}`;
    return `# seconds, metres, degrees; fps: ${this.fps}\n${names}\n${lines.join("\n")}\n`;
  }
}

// Downloads a text file.
function save(name, text) {
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
