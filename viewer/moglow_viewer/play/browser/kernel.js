"use strict";
// Products of matrices and cells of LSTMs for 16 figures at once, as WebAssembly that is assembled here.

const LANES = 16; // figures in a block; a number of a block is stored as the 16 values of its figures
const ROW = 4 * LANES; // bytes of such a row

// ---- an assembler for the few instructions that are used ----

const whole = (number) => { // LEB128, unsigned
  const bytes = [];
  do { bytes.push((number & 127) | (number > 127 ? 128 : 0)); number >>>= 7; } while (number);
  return bytes;
};
const signed = (number) => { // LEB128, signed
  const bytes = [];
  for (;;) {
    const byte = number & 127;
    number >>= 7;
    if ((number === 0 && !(byte & 64)) || (number === -1 && byte & 64)) return [...bytes, byte];
    bytes.push(byte | 128);
  }
};
const list = (parts) => [...whole(parts.length), ...parts.flat()];
const section = (id, bytes) => [id, ...whole(bytes.length), ...bytes];
const text = (name) => list([...name].map((letter) => letter.charCodeAt(0)));
const get = (local) => [0x20, local], set = (local) => [0x21, local];
const moved = (local, bytes) => [...get(local), 0x41, ...signed(bytes), 0x6a, ...set(local)];
const vector = (code) => [0xfd, ...whole(code)];
const load = (local, offset) => [...get(local), ...vector(0), 2, ...whole(offset)];
const splat = (local, offset) => [...get(local), ...vector(9), 2, ...whole(offset)];
const store = (local, offset, value) => [...get(local), ...value, ...vector(11), 2, ...whole(offset)];
const floats = (value) => [...vector(12), ...repeated(new Uint8Array(new Float32Array([value]).buffer))];
const wholes = (value) => [...vector(12), ...repeated(new Uint8Array(new Int32Array([value]).buffer))];
const repeated = (bytes) => [...bytes, ...bytes, ...bytes, ...bytes];
const binary = (code) => (a, b) => [...a, ...b, ...vector(code)];
const [added, less, times, over, lower, higher] = [228, 229, 230, 231, 232, 233].map(binary);
const [addedWholes, shifted] = [174, 171].map(binary);
const rounded = (a) => [...a, ...vector(106)], truncated = (a) => [...a, ...vector(248)];
// Repeats a body until `counter`, which `body` does not change, is 0.
const repeat = (counter, body) =>
  [0x03, 0x40, ...body, ...get(counter), 0x41, ...signed(-1), 0x6a, 0x22, counter, 0x0d, 0, 0x0b];
const INTEGER = 0x7f, VECTOR = 0x7b;
const routine = (integers, vectors, body) => {
  const locals = [[...whole(integers), INTEGER], [...whole(vectors), VECTOR]];
  const code = [...list(locals), ...body, 0x0b];
  return [...whole(code.length), ...code];
};

// ---- the routines ----

// a·b + c, in one rounding where the browser has such an instruction.
const fused = (a, b, c) => [...a, ...b, ...c, ...vector(261)];
const unfused = (a, b, c) => added(times(a, b), c);

// out += weights × x, or bias + weights × x, two rows of outputs at a time, whose weights alternate in memory.
function productOf(sum, onto) {
  const [weights, x, bias, out, pairs, width, k, at, sums, values] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 16];
  const each = [0, 1, 2, 3];
  const first = (row) => (j) => [...(onto ? load(out, ROW * row + 16 * j) : splat(bias, 4 * row)), ...set(sums + 4 * row + j)];
  const term = (row) => (j) => [...sum(get(values + j), get(values + 4 + row), get(sums + 4 * row + j)), ...set(sums + 4 * row + j)];
  const last = (row) => (j) => store(out, ROW * row + 16 * j, get(sums + 4 * row + j));
  const rows = (part) => [0, 1].flatMap((row) => each.flatMap(part(row)));
  return routine(2, 14, repeat(pairs, [
    ...rows(first), ...get(x), ...set(at), ...get(width), ...set(k),
    ...repeat(k, [
      ...splat(weights, 0), ...set(values + 4), ...splat(weights, 4), ...set(values + 5),
      ...each.flatMap((j) => [...load(at, 16 * j), ...set(values + j)]),
      ...rows(term), ...moved(weights, 8), ...moved(at, ROW),
    ]),
    ...rows(last), ...moved(out, 2 * ROW), ...moved(bias, 8),
  ]));
}

// tanh(x) = 1 - 2 / (exp(2x) + 1), with exp(y) = 2^n exp(r), |r| < ln(2) / 2, and a polynomial of degree 6 for exp(r).
function tanhOf(sum) {
  const [x, n, r] = [0, 1, 2], factors = [1, 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720];
  const series = factors.reduceRight((rest, factor) => (rest ? sum(rest, get(r), floats(factor)) : floats(factor)), null);
  const power = shifted(addedWholes(truncated(get(n)), wholes(127)), [0x41, 23]);
  return routine(0, 2, [
    ...higher(lower(times(get(x), floats(2)), floats(18)), floats(-18)), ...set(x),
    ...rounded(times(get(x), floats(Math.LOG2E))), ...set(n),
    ...sum(get(n), floats(-0.693359375), get(x)), ...set(r), // ln(2) in two parts
    ...sum(get(n), floats(2.12194440e-4), get(r)), ...set(r),
    ...less(floats(1), over(floats(2), added(times(series, power), floats(1)))),
  ]);
}

// Gates in the order input, forget, output, new, of `size` rows each, and cells -> cells and outputs.
function cellsOf(sum, tanh) {
  const [input, cells, outputs, size, forget, output, fresh, k, cell] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const squashed = (value) => [...value, 0x10, tanh];
  const open = (gate, offset) => sum(squashed(load(gate, offset)), floats(0.5), floats(0.5));
  const beyond = (from, to) => [...get(from), ...get(size), 0x41, 6, 0x74, 0x6a, ...set(to)]; // from + 64·size
  const one = (offset) => [
    ...sum(open(forget, offset), load(cells, offset), times(open(input, offset), squashed(load(fresh, offset)))), ...set(cell),
    ...store(cells, offset, get(cell)),
    ...store(outputs, offset, times(open(output, offset), squashed(get(cell)))),
  ];
  return routine(4, 1, [
    ...beyond(input, forget), ...beyond(forget, output), ...beyond(output, fresh), ...get(size), ...set(k),
    ...repeat(k, [
      ...[0, 16, 32, 48].flatMap(one),
      ...[input, forget, output, fresh, cells, outputs].flatMap((pointer) => moved(pointer, ROW)),
    ]),
  ]);
}

function assembled(sum) {
  const types = [[0x60, ...list(Array(6).fill(INTEGER)), 0], [0x60, ...list(Array(4).fill(INTEGER)), 0],
    [0x60, 1, VECTOR, 1, VECTOR]];
  const names = ["product", "onto", "cells"];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section(1, list(types)),
    ...section(2, list([[...text("page"), ...text("memory"), 2, 0, 1]])),
    ...section(3, list([[0], [0], [1], [2]])),
    ...section(7, list(names.map((name, k) => [...text(name), 0, k]))),
    ...section(10, list([productOf(sum, false), productOf(sum, true), cellsOf(sum, 3), tanhOf(sum)])),
  ]);
}

// Returns `product`, `onto` and `cells`, which work on a memory.
async function makeKernel(memory) {
  const best = assembled(fused), code = WebAssembly.validate(best) ? best : assembled(unfused);
  const { instance } = await WebAssembly.instantiate(code, { page: { memory } });
  return instance.exports;
}
