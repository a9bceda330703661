"use strict";
// The player of a page: time, keys, buttons and pointers. `window.moglow` gives tests access. Last script.

const SPEEDS = [0.25, 0.5, 1, 2, 4];

async function start() {
  const { takes: packed, path, ground: terrain, figures, warnings } = JSON.parse($("#motion").textContent);
  const takes = await Promise.all(packed.map(async (take) => new Take(
    take, await unpack(take), await inflate(take.feet), await inflate(take.slide))));
  const ground = terrain ? new Ground(terrain, await unpack(terrain.heights)) : null;
  const asked = path && new Track(path, await unpack(path));
  const fps = takes[0].fps;
  const frames = Math.max(...takes.map((take) => Math.floor(((take.frames - 1) / take.fps) * fps + 1e-4) + 1));
  const lastTime = (frames - 1) / fps;

  const state = { time: 0, playing: false, speed: 1, loop: true, help: false, drawn: 0 };
  const camera = { mode: "follow", yaw: (ground ? ground.front : takes[0].heading) + 0.65, pitch: 0.26, zoom: 1, distance: 0 };
  let anchor = null; // wall clock and displayed time at the start of playing: frames may drop, time does not slow down
  let stale = true; // something changed since the last drawing
  let colours = readColours();
  const view = $("#view"), look = new Look(view, camera, { changed: () => { stale = true; } });

  // ---- time ----

  const frame = () => clamp(Math.floor(state.time * fps + 1e-4), 0, frames - 1);
  function setTime(seconds) {
    state.time = clamp(seconds, 0, lastTime);
    anchor = null;
    stale = true;
  }
  const setFrame = (number) => setTime(clamp(number, 0, frames - 1) / fps);
  function play(playing) {
    if (playing && !state.loop && frame() === frames - 1) setTime(0);
    state.playing = playing && frames > 1;
    setTime(state.playing ? state.time : frame() / fps);
  }
  function advance(now) {
    anchor = anchor || { now, time: state.time };
    const time = anchor.time + ((now - anchor.now) / 1000) * state.speed;
    if (!state.loop && time >= lastTime) return setFrame(frames - 1), play(false);
    state.time = Math.min(time % (frames / fps), lastTime); // the last frame is shown as long as the others
    stale = true;
  }

  // ---- keys, buttons, pointers ----

  function changeSpeed(by) {
    state.speed = SPEEDS[clamp(SPEEDS.indexOf(state.speed) + by, 0, SPEEDS.length - 1)];
    setTime(state.time);
  }
  const step = (by) => { const next = frame() + by; play(false); setFrame(next); };
  const actions = {
    " ": () => play(!state.playing),
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    Home: () => setFrame(0),
    End: () => setFrame(frames - 1),
    l: () => { state.loop = !state.loop; setTime(state.time); },
    "[": () => changeSpeed(-1),
    "]": () => changeSpeed(1),
    f: () => look.from("follow"),
    o: () => look.from("orbit"),
    t: () => look.from("top"),
    "?": () => { state.help = !state.help; },
    Escape: () => { state.help = false; },
  };
  takes.slice(0, 9).forEach((take, k) => { actions[k + 1] = () => { take.shown = !take.shown; drawChart(); }; });
  if (takes.length > 1) {
    takes.slice(0, 9).forEach((take, k) => {
      const button = $("#takes").appendChild(document.createElement("button"));
      button.dataset.key = k + 1;
      button.append(document.createElement("i"), take.name);
    });
  }
  bindActions(actions, () => { showState(); stale = true; }, { repeats: true, buttons: "[data-key]" });
  $("#scrub").max = frames - 1;
  $("#scrub").addEventListener("input", (event) => { setFrame(Number(event.target.value)); });

  // ---- drawing ----

  const scene = new Scene(view, takes, asked, camera, ground);
  function refit() {
    fit(view);
    fit($("#chart"));
    drawChart();
    stale = true;
  }
  function drawChart() { // foot slide over time, one line per take
    const chart = $("#chart"), pen = chart.getContext("2d"), { width, height } = chart.getBoundingClientRect();
    const top = Math.max(20, ...takes.map((take) => take.slide.slice().sort()[Math.floor(0.98 * (take.frames - 1))]));
    pen.clearRect(0, 0, width, height);
    takes.forEach((take, k) => {
      if (!take.shown || !take.toes.length) return;
      pen.beginPath();
      pen.moveTo(0, height);
      take.slide.forEach((speed, frame) => {
        const x = 1.5 + ((width - 3) * frame * fps) / take.fps / Math.max(frames - 1, 1);
        pen.lineTo(x, height - 1 - (height - 15) * Math.min(speed / top, 1));
      });
      const colour = takes.length > 1 ? colours.takes[k % 9] : colours.soft;
      pen.strokeStyle = css(colour, 0.9);
      pen.lineWidth = 1.25;
      pen.stroke();
      pen.lineTo(width, height);
      pen.fillStyle = css(colour, 0.12);
      pen.fill();
    });
    $("#scale").textContent = takes.some((take) => take.toes.length) ? `foot slide, up to ${top} cm/s` : "";
  }
  function showState() {
    $("#help").hidden = !state.help;
    $("#play").textContent = state.playing ? "❚❚" : "▶";
    $("#speed").textContent = `${state.speed}×`;
    const pressed = { loop: state.loop, help: state.help, [camera.mode]: true };
    for (const button of document.querySelectorAll("[data-state]")) {
      button.setAttribute("aria-pressed", Boolean(pressed[button.dataset.state]));
    }
    [...$("#takes").children].forEach((button, k) => {
      button.setAttribute("aria-pressed", takes[k].shown);
      button.firstChild.style.background = css(colours.takes[k % 9]);
    });
  }
  function showFigures() {
    const rows = takes.length > 1 ? [["", ...takes.map((take) => take.name)], ...figures] : figures;
    for (const [label, ...values] of rows) {
      const row = $("#figures table").insertRow();
      row.append(Object.assign(document.createElement("th"), { textContent: label }));
      for (const value of values) row.insertCell().textContent = value;
    }
    for (const warning of warnings) {
      $("#figures ul").append(Object.assign(document.createElement("li"), { textContent: warning }));
    }
    $("#figures").open = window.innerWidth > 640;
  }
  function tick(now) {
    requestAnimationFrame(tick);
    if (state.playing) advance(now);
    if (!stale) return;
    stale = false;
    scene.draw(state.time, colours);
    state.drawn += 1;
    $("#scrub").value = frame();
    $("#time").innerHTML = `<b>${state.time.toFixed(2)}</b> / ${lastTime.toFixed(2)} s · ` +
      `frame <b>${frame() + 1}</b> / ${frames} · ${Number(fps.toFixed(2))} fps`;
  }

  window.moglow = {
    get frame() { return frame(); },
    get visible() { return takes.map((take) => take.shown); },
    get time() { return state.time; },
    get playing() { return state.playing; },
    get speed() { return state.speed; },
    get loop() { return state.loop; },
    get help() { return state.help; },
    get drawn() { return state.drawn; },
    get camera() { return { ...camera }; },
    frames, fps,
    points: (take, number) => [...takes[take].values.subarray(
      number * takes[take].columns, (number + 1) * takes[take].columns)],
  };

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = readColours();
    showState();
    refit();
  });
  new ResizeObserver(refit).observe(view);
  refit();
  showFigures();
  play(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);
  showState();
  requestAnimationFrame(tick);
}

start().catch((error) => {
  $("#notice").textContent = window.DecompressionStream
    ? `This page cannot be shown: ${error.message}`
    : "This browser is too old for this page; one from 2023 or later shows it.";
});
