// Runs scripts of a page without a browser: their classes answer a question. usage: node page_scripts.mjs a.js b.js …
// On stdin {"ask": a function's body, "input": what it knows as `input`}; its answer goes to stdout as JSON.
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

for (const file of process.argv.slice(2)) runInThisContext(readFileSync(file, "utf-8"), file);
const { ask, input } = JSON.parse(readFileSync(0, "utf-8"));
const answer = await runInThisContext(`(async (input) => {${ask}})`)(input);
process.stdout.write(JSON.stringify(answer, (_, value) => (ArrayBuffer.isView(value) ? [...value] : value)));
