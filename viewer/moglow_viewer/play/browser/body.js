"use strict";
// The body: a pose -> rotations -> points. A port of `moglow.encodings.feet_first` and its leg solver.

// Quaternions are w first; matrices are row-major.
const turned = ([aw, ax, ay, az], [bw, bx, by, bz]) => [ // first b, then a
  aw * bw - ax * bx - ay * by - az * bz,
  aw * bx + ax * bw + ay * bz - az * by,
  aw * by - ax * bz + ay * bw + az * bx,
  aw * bz + ax * by - ay * bx + az * bw,
];
const back = ([w, x, y, z]) => [w, -x, -y, -z];
const plus = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
function rotated([w, x, y, z], [vx, vy, vz]) {
  const tx = 2 * (y * vz - z * vy), ty = 2 * (z * vx - x * vz), tz = 2 * (x * vy - y * vx);
  return [vx + w * tx + y * tz - z * ty, vy + w * ty + z * tx - x * tz, vz + w * tz + x * ty - y * tx];
}
function vectorToTurn([x, y, z]) {
  const half = 0.5 * Math.sqrt(x * x + y * y + z * z) + 1e-150, scale = Math.sin(half) / (2 * half);
  return [Math.cos(half), x * scale, y * scale, z * scale];
}
const headingToTurn = (heading) => [Math.cos(heading / 2), 0, Math.sin(heading / 2), 0];

class Body {
  constructor(arrays, { parents, ends, spine = null }) {
    Object.assign(this, { arrays, parents, ends, spine, legs: arrays.swivel_numbers.length });
    this.points = parents.length + ends.length;
    for (const name of ["hips", "carrier"]) this[name] = arrays[name][0];
    const triples = (name) => Array.from({ length: arrays[name].length / 3 }, (_, k) => [...arrays[name].subarray(3 * k, 3 * k + 3)]);
    for (const name of ["bones", "soles", "sockets", "toe_numbers", "tilt_numbers"]) this[name] = triples(name);
    this.means = parents.map((_, joint) => [...arrays.means.subarray(4 * joint, 4 * joint + 4)]);
    // Rows of the legs' hips, knees, ankles and parent joints.
    this.legJoints = [0, 1, 2, 3].map((row) => [...arrays.leg_joints.subarray(row * this.legs, (row + 1) * this.legs)]);
  }

  // Returns the k-th of constant maps to `rows` numbers, times a vector. `product` is for Float32Array only, to be fast.
  mapped(name, k, vector, rows = 4) {
    const matrix = this.arrays[name], width = vector.length, start = rows * width * k;
    const sum = (row) => {
      let all = 0;
      for (let column = 0, at = start + row * width; column < width; column++, at++) all += matrix[at] * vector[column];
      return all;
    };
    if (rows === 4) return [sum(0), sum(1), sum(2), sum(3)]; // a rotation, by far the most frequent
    return Array.from({ length: rows }, (_, row) => sum(row));
  }

  // Decodes a pose on the path at [x, z, heading]: local rotations of all joints, and the carrying joint's position.
  decode(pose, place) { return this.posed(this.restored(pose), place); }

  // The same from all numbers of the chart.
  posed(values, [x, z, heading]) {
    const { place, turns, tilts, carrying } = this.trunk(values), hips = tilts[this.legs];
    for (let leg = 0; leg < this.legs; leg++) {
      const swivel = values[this.arrays.swivel_numbers[leg]];
      this.solveLeg(leg, turns, carrying(this.legJoints[3][leg]), this.ankle(leg, values, tilts), tilts[leg], swivel);
    }
    const facing = headingToTurn(heading);
    turns[this.hips] = turned(facing, hips);
    const moved = rotated(facing, place);
    return { turns, at: minus([moved[0] + x, moved[1], moved[2] + z], this.arrays.lift) };
  }

  // Returns a decoded pose with the angle of `Steering.twisting` at the lowest joint of the spine, as `twisting.py` does.
  twisted({ turns, at }, angle) {
    const made = turns.slice();
    if (this.spine !== null) made[this.spine] = turned(headingToTurn(angle), turns[this.spine]);
    return { turns: made, at };
  }

  // Returns what the legs hang from: the hips' place, rotations of other joints, of the feet and of the hips.
  trunk(values) {
    const start = 7 * this.legs, place = [values[start + 1], values[start], values[start + 2]];
    const turns = this.means.slice();
    this.arrays.moving.forEach((joint, k) => {
      const turn = vectorToTurn(values.slice(start + 6 + 3 * k, start + 9 + 3 * k));
      turns[joint] = this.mapped("turn_matrices", k, turn);
    });
    const tilts = this.tilt_numbers.map((places, k) =>
      this.mapped("turned_matrix", k, tiltFactors(places.map((number) => values[number]))));
    return { place, turns, tilts, carrying: this.carrying(place, tilts[this.legs], turns) };
  }
  ankle(leg, values, tilts) {
    const toe = this.toe_numbers[leg].map((number) => values[number]);
    return minus(toe, rotated(tilts[leg], this.soles[leg]));
  }
  // Returns the vectors from the legs' hip joints to their ankles, before a leg is found too short for one.
  legLines(values) {
    const { tilts, carrying } = this.trunk(values);
    return this.legJoints[3].map((joint, leg) => {
      const above = carrying(joint), hip = plus(above.place, rotated(above.turn, this.sockets[leg]));
      return minus(this.ankle(leg, values, tilts), hip);
    });
  }

  // Returns all numbers of the chart from the model's channels.
  restored(pose) {
    const { kept, curve_causes: causes, lowest, highest, coefficients, constant } = this.arrays;
    const known = [...pose.subarray(0, kept.length)];
    for (let curve = 0; curve < causes.length / 2; curve++) {
      const [a, b] = [2 * curve, 2 * curve + 1].map((k) => clamp(pose[causes[k]], lowest[k], highest[k]));
      let sum = 0;
      for (let i = 5; i >= 0; i--) { // Horner's scheme in both causes
        let inner = 0;
        for (let j = 5; j >= 0; j--) inner = inner * b + coefficients[36 * curve + 6 * i + j];
        sum = sum * a + inner;
      }
      known.push(sum);
    }
    return this.mapped("restoring", 0, known, constant.length).map((value, k) => value + constant[k]);
  }

  // Returns a function to the positions and rotations of the legs' parent joints in the path's frame.
  carrying(place, hips, turns) {
    const at = { [this.hips]: { place, turn: hips } };
    for (const joint of this.arrays.trunk) {
      const above = at[this.parents[joint]];
      at[joint] = { place: plus(above.place, rotated(above.turn, this.bones[joint])), turn: turned(above.turn, turns[joint]) };
    }
    return (joint) => at[joint];
  }

  // Two-bone inverse kinematics; towards a foot out of reach the leg is straight.
  solveLeg(leg, turns, carrying, ankle, foot, swivel) {
    const line = minus(rotated(back(carrying.turn), minus(ankle, carrying.place)), this.sockets[leg]);
    const distance = Math.hypot(...line), [thigh, shin] = [0, 1].map((bone) => this.arrays.lengths[bone * this.legs + leg]);
    const reach = clamp(distance, Math.abs(thigh - shin) + 1e-9, thigh + shin);
    // The rotation from the leg's mean line to this one, after the knee's swivel about it.
    const way = [1 + 1e-9, ...line.map((part) => part / (distance + 1e-12))];
    const halves = [Math.cos(swivel / 2), Math.sin(swivel / 2)];
    const unscaled = this.mapped("swing_matrix", leg, halves.flatMap((half) => way.map((part) => half * part)));
    const swing = unscaled.map((part) => part / Math.hypot(...unscaled));
    // Cosine and sine of half the angles at hip and ankle, by the law of cosines in a form exact for a straight leg.
    const corner = (own, other) => [(own + reach) ** 2 - other ** 2, other ** 2 - (own - reach) ** 2]
      .map((part) => Math.sqrt(Math.max(part, 0) / (4 * own * reach)));
    const [a, b] = [corner(thigh, shin), corner(shin, thigh)];
    const lower = turned(swing, this.mapped("bone_matrix", this.legs + leg, b));
    const [hip, knee, ankleJoint] = this.legJoints.map((row) => row[leg]);
    turns[hip] = turned(swing, this.mapped("bone_matrix", leg, a));
    turns[knee] = this.mapped("knee_matrix", leg, [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]);
    turns[ankleJoint] = this.mapped("ankle_matrix", leg, turned(back(turned(carrying.turn, lower)), foot));
  }

  // Returns the world positions and rotations of the joints, by forward kinematics.
  worlds({ turns, at }) {
    const places = [], facing = [];
    this.parents.forEach((parent, joint) => {
      const local = joint === this.carrier ? at : this.bones[joint];
      places[joint] = parent < 0 ? local : plus(places[parent], rotated(facing[parent], local));
      facing[joint] = parent < 0 ? turns[joint] : turned(facing[parent], turns[joint]);
    });
    return { places, facing };
  }

  // Returns the world positions of joints, then of end sites.
  stand(shown) {
    const { places, facing } = this.worlds(shown), out = new Float32Array(3 * this.points);
    places.forEach((place, joint) => out.set(place, 3 * joint));
    this.ends.forEach(([joint, tip], k) => {
      out.set(plus(places[joint], rotated(facing[joint], tip)), 3 * (this.parents.length + k));
    });
    return out;
  }
}

// Returns products of the cosines and sines of half of yaw, roll and pitch; the rotation is linear in them.
function tiltFactors(tilt) {
  const [yaw, roll, pitch] = tilt, [a, A] = [Math.cos(yaw / 2), Math.sin(yaw / 2)];
  const [b, B] = [Math.cos(roll / 2), Math.sin(roll / 2)], [c, C] = [Math.cos(pitch / 2), Math.sin(pitch / 2)];
  return [a * b * c, a * b * C, a * B * c, a * B * C, A * b * c, A * b * C, A * B * c, A * B * C];
}
