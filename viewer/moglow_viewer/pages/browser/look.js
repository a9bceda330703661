"use strict";
// Colours, the canvas resolution, and a camera controlled by pointer and wheel.

const $ = (selector) => document.querySelector(selector);

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const rgb = (text) => [1, 3, 5].map((k) => parseInt(text.trim().slice(k, k + 2), 16));
  const names = ["ground", "ink", "soft", "grid", "shadow", "asked", "accent", "body", "left", "right",
    "still", "sliding", "skating"];
  const read = Object.fromEntries(names.map((name) => [name, rgb(style.getPropertyValue(`--${name}`))]));
  read.takes = style.getPropertyValue("--takes").trim().split(/\s+/).map(rgb);
  return read;
}

function fit(canvas) {
  const ratio = window.devicePixelRatio || 1, { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
}

// Moves a camera by pointers on a canvas, except those for which `taken` is true; `changed` is called after a change.
class Look {
  constructor(view, camera, { changed = () => {}, taken = () => false } = {}) {
    Object.assign(this, { camera, changed, pointers: new Map(), turned: { yaw: camera.yaw, pitch: camera.pitch } });
    view.addEventListener("pointerdown", (event) => {
      if (taken(event)) return;
      view.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, event);
    });
    view.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      view.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    view.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.0015));
    }, { passive: false });
  }

  from(mode) {
    const { camera, turned } = this;
    if (camera.mode !== "top") Object.assign(turned, { yaw: camera.yaw, pitch: camera.pitch });
    // From above +Z is up on the screen and +X is left, as for a figure that faces +Z.
    Object.assign(camera, mode === "top" ? { yaw: Math.PI, pitch: Math.PI / 2 } : turned, { mode, zoom: 1 });
    this.changed();
  }
  zoom(factor) {
    this.camera.zoom = clamp(this.camera.zoom * factor, 0.1, 12);
    this.changed();
  }
  move(event) {
    const { camera, pointers } = this, before = pointers.get(event.pointerId);
    if (!before) return;
    const apart = pointers.size === 2 ? this.spread() : 0;
    pointers.set(event.pointerId, event);
    if (apart) return this.zoom(this.spread() / apart);
    camera.yaw -= (event.clientX - before.clientX) * 0.008;
    if (camera.mode !== "top") {
      camera.pitch = clamp(camera.pitch + (event.clientY - before.clientY) * 0.006, -0.05, Math.PI / 2);
    }
    this.changed();
  }
  spread() {
    const [a, b] = [...this.pointers.values()];
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1;
  }
}
