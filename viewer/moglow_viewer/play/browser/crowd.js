"use strict";
// The page of a crowd: workers, keys, clicks, drawing. Tests use `window.moglow`. In a worker it serves. Last script.

const LATE = 0.25; // seconds after which the clock does not catch up

async function start() {
  const facts = JSON.parse($("#data").textContent), { model, figure } = facts, fps = model.fps, count = facts.figures;
  const arrays = unpackArrays(model.arrays, await inflate(model.data)), steering = new Steering(facts.steering);
  const view = $("#view"), hands = new Hands(view, [$("#walk"), $("#turn")]);
  const camera = { mode: "orbit", yaw: Math.PI + 0.35, pitch: 0.35, zoom: 1, distance: 0 };
  const look = new Look(view, camera, { taken: (event) => hands.turns(event), changed: () => { stale = true; } });
  const state = { paused: false, help: false, drawn: 0, frames: 0, cost: 0, drawing: 0 };
  const workers = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 2));
  let minds, companies, shown, coming, places, clock, stale = true, drawn = null, rate = { since: 0, frames: 0, drawn: 0 };
  const scene = new CrowdScene(view, figure, count, camera);

  async function begin() {
    companies?.close();
    minds = new Minds(count, facts);
    const starts = minds.places();
    places = Float64Array.from(starts.flat());
    [shown, coming, clock] = [null, null, null];
    state.frames = 0;
    const mine = (companies = new Companies(facts, arrays, starts, workers));
    await mine.ready;
    if (mine !== companies) return; // started over meanwhile
    const first = await advance();
    shown = [first, first];
    request();
  }
  async function advance() {
    const stick = hands.stick(), sticks = hands.idle ? minds.sticks(places, 1 / fps) : Array(count).fill(stick), mine = companies;
    const made = await companies.step(Float32Array.from(sticks.flatMap((each) => steering.wanted(each))));
    if (mine !== companies) return made;
    places = made.places;
    state.frames += 1;
    rate.frames += 1;
    state.cost += (made.cost - state.cost) / Math.min(20, state.frames);
    return made;
  }
  function request() { // one frame is computed ahead while two are shown
    coming = { made: null };
    const mine = coming;
    advance().then((made) => { mine.made = made; }).catch(failed);
  }

  const actions = {
    " ": () => { state.paused = !state.paused; clock = null; },
    Home: () => { begin().catch(failed); },
    o: () => look.from("orbit"),
    t: () => look.from("top"),
    "?": () => { state.help = !state.help; },
    Escape: () => { state.help = false; },
  };
  bindActions(actions, showState);
  new PinPointer(view, {
    clicked: (event) => {
      const { left, top } = view.getBoundingClientRect(), point = scene.floorAt(event.clientX - left, event.clientY - top);
      if (point && Math.hypot(...point) < 200) minds.gather(point, places);
    },
    grasped: () => false,
    moved: () => {},
  });
  function showState() {
    stale = true;
    $("#help").hidden = !state.help;
    const pressed = { ...state, [camera.mode]: true };
    for (const button of document.querySelectorAll("[data-state]")) button.setAttribute("aria-pressed", Boolean(pressed[button.dataset.state]));
  }
  const cells = ["figures", "frames", "pictures", "a frame takes"].map((label) => {
    const row = $("#panel table").insertRow();
    row.append(Object.assign(document.createElement("th"), { textContent: label }));
    return row.insertCell();
  });
  function showFigures(now) {
    if (now - rate.since < 1000) return;
    const seconds = (now - rate.since) / 1000;
    rate = { since: now, frames: 0, drawn: 0, made: rate.frames / seconds, seen: rate.drawn / seconds };
    const texts = [`${count}`, `${rate.made.toFixed(0)} /s`, `${rate.seen.toFixed(0)} /s`, `${state.cost.toFixed(1)} ms`];
    cells.forEach((cell, k) => { cell.textContent = texts[k]; });
  }

  function tick(now) {
    requestAnimationFrame(tick);
    if (!shown || (state.paused && !stale)) return;
    if (!state.paused) {
      clock = clock || { now, share: 0 };
      clock.share += ((now - clock.now) / 1000) * fps;
      clock.now = now;
      while (clock.share > 1 && coming?.made) {
        shown = [shown[1], coming.made];
        clock.share -= 1;
        request();
      }
      clock.share = Math.min(clock.share, coming?.made ? LATE * fps : 1); // a late frame stops the figures, not the camera
    }
    const share = Math.min(1, clock ? clock.share : 1), began = performance.now();
    if (!stale && share === drawn) return; // while the workers are late, nothing moves
    [stale, drawn] = [false, share];
    scene.show(shown[0].points, shown[1].points, share, colours);
    state.drawing += 0.05 * (performance.now() - began - state.drawing);
    state.drawn += 1;
    rate.drawn += 1;
    showFigures(now);
  }

  let colours = readColours();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours = readColours(); stale = true; });
  function refit() { fit(view); stale = true; }
  new ResizeObserver(refit).observe(view);
  refit();
  document.body.classList.toggle("touched", window.matchMedia("(pointer: coarse)").matches);
  window.moglow = {
    get state() { return { ...state, ...rate }; },
    get drawn() { return state.drawn; },
    get frames() { return state.frames; },
    get places() { return [...places]; },
    get workers() { return companies.workers.length; },
    screen: (x, z) => { const { x: px, y: py } = scene.project(scene.seen(x, 0, z)); return [px, py]; },
  };
  showState();
  await begin();
  requestAnimationFrame(tick);
}

function failed(error) {
  $("#notice").textContent = window.DecompressionStream && window.WebAssembly
    ? `This page cannot be played: ${error.message}`
    : "This browser is too old for this page; one from 2023 or later plays it.";
}

if (self.document) start().catch(failed);
else serve();
