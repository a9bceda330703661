"use strict";
// The page on which a figure is steered: time, input, drawing, recording. Tests use `window.moglow`. Last script.

const LATE = 10; // most frames made at once, so that three pictures per second are enough for real time
const STILL = 0.02; // m/s and rad/s below which the figure is at rest

async function start() {
  const facts = JSON.parse($("#data").textContent), { model, figure, pace, bvh } = facts;
  const arrays = unpackArrays(model.arrays, await inflate(model.data));
  const sampler = new Sampler(arrays, model), body = new Body(arrays, figure), steering = new Steering(facts.steering);
  const fps = model.fps, size = sampler.flow.noiseSize;
  const view = $("#view"), hands = new Hands(view, [$("#walk"), $("#turn")]);
  const camera = { mode: "follow", yaw: Math.PI + 0.35, pitch: 0.3, zoom: 0.72, distance: 0 };
  const look = new Look(view, camera, {
    taken: (event) => state.drawing || hands.turns(event) || scene.ballUnder(event, GRIP), changed: () => { stale = true; },
  });
  const state = {
    style: facts.style, temperature: facts.temperature, drawing: false, recording: false, reaching: false, paused: false,
    help: false, drawn: 0,
  };
  let dice, past, place, moving, aside, shown, take, scene; // the figure
  let asked = null, before = null, step = 0; // the drawn path, the state before it, and its current frame
  let sketch = null, recording = new Recording(fps), takes = 0;
  let facing = 0, lastTurn = 0; // the heading that the camera follows
  let stale = true; // something changed since the last drawing
  let clock = null, cost = 0, colours = readColours(), rate = { since: 0, frames: 0, shown: 0 };

  const reach = new Reach(body, figure.arms, fps);

  const noise = () => dice.normals(size);
  function begin() {
    dice = new Dice(facts.seed);
    past = sampler.start(noise, sampler.style(state.style), state.temperature);
    [place, moving, aside, asked, before, sketch] = [[0, 0, 0], RESTING, false, null, null, null];
    take = new LiveTake(fps, figure);
    scene = Object.assign(new LiveScene(view, [take], null, camera), { pin: null, ball: reach.ball, ballRadius: BALL });
    Object.assign(state, { drawing: false, recording: false });
    Object.assign(camera, { yaw: camera.yaw - facing });
    [clock, facing] = [null, 0];
    advance();
  }

  // ---- one frame of the model ----

  function controls() {
    const count = 1 + model.lookahead;
    if (asked && step < asked.frames - 1) {
      if (hands.idle) return asked.ahead(++step, count);
      leave();
    } else if (state.recording && recording === asked?.recording) stopRecording();
    const wanted = state.drawing || sketch ? [0, 0, 0] : steering.wanted(hands.stick(steering.coast(moving)[2]));
    const coming = steering.ahead(moving, wanted, count);
    moving = steering.step(moving, wanted);
    return coming;
  }
  function leave() { // changes from the path to the stick, at the current velocities
    const [now, last] = [asked.ahead(step, 1)[0], asked.ahead(step - 1, 1)[0]];
    moving = { velocities: now, accelerations: now.map((velocity, k) => (velocity - last[k]) * fps) };
    step = asked.frames;
  }
  function advance() {
    stale = true;
    const began = performance.now(), coming = controls();
    aside = steering.aside(coming, aside);
    const style = sampler.style(state.style, aside);
    const made = sampler.step(past, coming, noise(), style, state.temperature);
    past = made.past;
    place = walked(place, coming[0], fps);
    hands.turned(coming[0][2] / fps, steering.coast(moving)[2]);
    shown = reach.applied(body.twisted(body.decode(made.pose, place), steering.twisting(moving)), place[2]);
    if (scene.pin && !sketch && !(asked && step < asked.frames - 1)) scene.pin = null; // it is reached or given up
    take.add(body.stand(shown), place);
    if (state.recording) recording.add(shown.turns, shown.at, place, state.style);
    if (sketch?.done && moving.velocities.every((velocity) => Math.abs(velocity) < STILL)) walkSketch();
    cost += 0.05 * (performance.now() - began - cost);
    rate.frames += 1;
  }

  // ---- paths ----

  function walkSketch() {
    const curve = curveFrom(place, sketch.points);
    sketch = null;
    if (!curve) return;
    asked = new DrawnPath(fps, follow(curve, fps, pace));
    before = { past, place, aside, points: body.stand(shown) };
    takes = 0;
    walkPath();
  }
  function walkPath() {
    moving = RESTING;
    step = 0;
    asked.began = take.frames - 1;
    scene.asked = asked;
    recording = asked.recording = new Recording(fps);
    state.recording = true;
    showState();
  }
  function again() { // repeats the path from the same state with other noise
    if (!before) return;
    ({ past, place, aside } = before);
    dice = new Dice(facts.seed + 1000 * ++takes);
    take = scene.takes[0] = new LiveTake(fps, figure);
    take.add(before.points, place);
    walkPath();
  }
  function stopRecording() {
    state.recording = false;
    showState();
  }
  view.addEventListener("pointerdown", (event) => {
    if (!state.drawing || event.button) return;
    const point = scene.floorUnder(event);
    if (!point) return;
    view.setPointerCapture(event.pointerId);
    sketch = { points: [point], pointer: event.pointerId };
  });
  view.addEventListener("pointermove", (event) => {
    if (!sketch || sketch.done || event.pointerId !== sketch.pointer) return;
    for (const each of event.getCoalescedEvents?.() || [event]) {
      const point = scene.floorUnder(each);
      if (point && lengthOf(point, place) < 50) sketch.points.push(point);
    }
    stale = true;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    view.addEventListener(end, (event) => {
      if (!sketch || event.pointerId !== sketch.pointer) return;
      sketch.done = true;
      draw(false);
    });
  }
  function walkTo(event) { // a straight way to a place that was clicked, after a stop
    const point = state.drawing ? null : scene.floorUnder(event);
    if (!point || lengthOf(point, place) > 50) return;
    if (asked && step < asked.frames - 1) leave();
    sketch = { points: [point], done: true };
    scene.pin = point;
    showState();
  }
  new PinPointer(view, {
    clicked: walkTo,
    grasped: (event) => !state.drawing && scene.ballUnder(event, GRIP),
    moved: (event) => setBall(scene.pointUnder(event, scene.ball)),
  });
  function setBall(point) {
    reach.ball = scene.ball = point && [point[0], clamp(point[1], 0, 3), point[2]];
    stale = true;
  }
  function reachOut() { // the ball appears before the figure at the height of its chest
    state.reaching = !state.reaching;
    const [x, z, heading] = place, ahead = 0.45 * Math.sin(heading), height = shown.at[1] + 0.35;
    setBall(state.reaching ? [x + ahead + 0.2 * Math.cos(heading), height, z + 0.45 * Math.cos(heading) - 0.2 * Math.sin(heading)] : null);
  }
  function draw(drawing) {
    if (drawing === state.drawing) return;
    if (drawing) {
      Object.assign(look, { usual: { pitch: camera.pitch, zoom: camera.zoom } });
      if (camera.mode === "follow") Object.assign(camera, { pitch: 0.95, zoom: 0.3 });
      take.held = take.trackAt(time());
      scene.asked = null;
    } else {
      if (camera.mode === "follow") Object.assign(camera, look.usual);
      take.held = null;
    }
    state.drawing = drawing;
    showState();
  }

  // ---- keys and buttons ----

  function record() {
    if (state.recording) return stopRecording();
    recording = new Recording(fps);
    state.recording = true;
  }

  const actions = {
    p: () => draw(!state.drawing),
    n: again,
    r: record,
    h: reachOut,
    b: () => { if (recording.frames.length) save("moglow.bvh", recording.toBvh(bvh)); },
    c: () => { if (recording.frames.length) save("moglow.csv", recording.toCsv()); },
    f: () => look.from("follow"),
    o: () => look.from("orbit"),
    t: () => look.from("top"),
    " ": () => { state.paused = !state.paused; clock = null; },
    Home: begin,
    "?": () => { state.help = !state.help; },
    Escape: () => { state.help = false; sketch = null; draw(false); },
  };
  for (const style of [null, ...model.styles]) {
    const button = $("#styles").appendChild(document.createElement("button"));
    Object.assign(button, { textContent: style || "default style", value: style || "" });
    button.dataset.state = "style";
    button.addEventListener("click", () => { state.style = style; showState(); });
  }
  bindActions(actions, showState);
  $("#temperature").addEventListener("input", (event) => { state.temperature = Number(event.target.value); showState(); });
  window.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    document.body.classList.add("touched");
    showState();
  });

  function showState() {
    stale = true;
    $("#help").hidden = !state.help;
    view.classList.toggle("drawing", state.drawing);
    const pressed = { ...state, [camera.mode]: true };
    for (const button of document.querySelectorAll("[data-state]")) {
      button.setAttribute("aria-pressed", Boolean(pressed[button.dataset.state]));
    }
    for (const button of $("#styles").children) {
      button.setAttribute("aria-pressed", button.value === (state.style || ""));
    }
    $("#styles").hidden = !model.styles.length;
    $("#again").disabled = !before;
    for (const button of document.querySelectorAll(".save")) button.disabled = !recording.frames.length;
    $("#temperature").value = state.temperature;
    $("#degree").textContent = state.temperature.toFixed(2);
    $("#hint").textContent = state.drawing
      ? "Draw on the floor with the mouse or a finger, and let go."
      : document.body.classList.contains("touched")
        ? "The left thumb walks, the right one turns. Tap the floor to walk there."
        : "W A S D or arrows walk, Q and E turn. Click the floor to walk there. P draws a path, H sets a ball to reach for.";
  }
  const figures = ["forward", "sideways", "turn", "frames"].map((label) => {
    const row = $("#panel table").insertRow();
    row.append(Object.assign(document.createElement("th"), { textContent: label }));
    return row.insertCell();
  });
  function showFigures(now) {
    if (now - rate.since < 500) return;
    const [forward, sideways, turn] = (asked && step < asked.frames ? asked.ahead(step, 1)[0] : moving.velocities);
    const seconds = (now - rate.since) / 1000;
    Object.assign(rate, { made: rate.frames / seconds, seen: rate.shown / seconds, since: now, frames: 0, shown: 0 });
    const texts = [`${forward.toFixed(2)} m/s`, `${sideways.toFixed(2)} m/s`, `${(turn * DEGREES).toFixed(0)} °/s`,
      `${rate.made.toFixed(0)} /s`];
    figures.forEach((cell, k) => { cell.textContent = texts[k]; });
    $("#recorded").textContent = recording.frames.length ? `${recording.seconds.toFixed(1)} s` : "";
    for (const button of document.querySelectorAll(".save")) button.disabled = !recording.frames.length;
  }

  // ---- time ----

  // The displayed time is between the last two frames, one frame behind the input.
  const time = () => Math.max(0, (take.frames - 2 + (clock ? clock.share : 1)) / fps);
  function tick(now) {
    requestAnimationFrame(tick);
    if (!state.paused) {
      clock = clock || { now, share: 1 };
      clock.share += ((now - clock.now) / 1000) * fps;
      clock.now = now;
      for (let made = 0; clock.share > 1 && made < LATE; made++, clock.share--) advance();
      clock.share = Math.min(clock.share, 1);
    }
    if (state.paused && !stale) return;
    stale = false;
    if (camera.mode === "follow" && !state.drawing) turnCamera(now);
    scene.sketch = sketch;
    scene.draw(time(), colours);
    state.drawn += 1;
    rate.shown += 1;
    showFigures(now);
  }
  function turnCamera(now) { // turns the camera slowly behind the figure
    const share = 1 - Math.exp((lastTurn - now) / 350), turn = (place[2] - facing) * share;
    lastTurn = now;
    facing += turn;
    camera.yaw += turn;
  }

  window.moglow = {
    get place() { return [...place]; },
    get velocities() { return [...moving.velocities]; },
    get frames() { return take.frames; },
    get drawn() { return state.drawn; },
    get state() { return { ...state }; },
    get camera() { return { ...camera }; },
    get recorded() { return recording.frames.length; },
    get walking() { return Boolean(asked) && step < asked.frames - 1; },
    get path() { return asked && { frames: asked.frames, end: [...asked.point(asked.frames - 1, 0)] }; },
    get pin() { return scene.pin && [...scene.pin]; },
    get reach() { return { ball: reach.ball, share: reach.share, left: reach.left, side: reach.arm?.side }; },
    set ball(point) { setBall(point); },
    get rate() { return { ...rate, cost }; },
    get files() { return { bvh: recording.toBvh(bvh), csv: recording.toCsv() }; },
    get points() { return [...take.at((take.frames - 1) / fps)]; },
    where: (point) => { const { x, y } = scene.project(scene.seen(...point)); return [x, y]; },
    advance: (frames) => { for (let k = 0; k < frames; k++) advance(); },
    screen: (x, z) => { const { x: px, y: py } = scene.project(scene.seen(x, 0, z)); return [px, py]; },
    sampler, body,
  };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = readColours();
    stale = true;
  });
  function refit() {
    fit(view);
    stale = true;
  }
  new ResizeObserver(refit).observe(view);
  refit();
  $("#panel").open = window.innerWidth > 640;
  begin();
  document.body.classList.toggle("touched", window.matchMedia("(pointer: coarse)").matches);
  showState();
  requestAnimationFrame(tick);
}

start().catch((error) => {
  $("#notice").textContent = window.DecompressionStream
    ? `This page cannot be played: ${error.message}`
    : "This browser is too old for this page; one from 2023 or later plays it.";
});
