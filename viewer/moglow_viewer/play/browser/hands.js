"use strict";
// What moves a figure: keys, the mouse, a touch screen's sticks and a gamepad, as one stick. Left is positive.

const KEYS = { // by place on the keyboard, so that they lie alike on every layout
  KeyW: ["forward", 1], ArrowUp: ["forward", 1], KeyS: ["forward", -1], ArrowDown: ["forward", -1],
  KeyA: ["sideways", 1], KeyD: ["sideways", -1],
  KeyQ: ["turn", 1], ArrowLeft: ["turn", 1], KeyE: ["turn", -1], ArrowRight: ["turn", -1],
};
const HURRY = 1.35; // times the walking pace, with Shift or a gamepad's trigger
const DEAD = 0.15; // of a gamepad's stick: less is its middle
const RADIANS_A_PIXEL = 0.01; // of the mouse, when it turns the figure
const EAGER = 2.5; // how quickly the figure turns to where the mouse wants it, per second

class Hands {
  constructor(view, pads) {
    Object.assign(this, { held: new Set(), pads: pads.map((pad) => new TouchStick(pad)), owed: 0 });
    window.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.code]) return;
      if (event.target.closest("input") && event.code.startsWith("Arrow")) return; // they move its thumb
      this.held.add(event.code);
      event.preventDefault();
    });
    window.addEventListener("keyup", (event) => this.held.delete(event.code));
    window.addEventListener("blur", () => this.held.clear());
    for (const kind of ["keydown", "keyup"]) window.addEventListener(kind, (event) => { this.shift = event.shiftKey; });
    view.addEventListener("contextmenu", (event) => event.preventDefault());
    view.addEventListener("pointermove", (event) => {
      if (this.turns(event)) this.owed -= event.movementX * RADIANS_A_PIXEL;
    });
  }
  turns(event) { return event.pointerType === "mouse" && Boolean(event.buttons & 2); }

  // What all of them ask for together, -1 to 1 along each axis; `coast` is how far the figure turns anyway, in radians.
  stick(coast = 0) {
    const asked = { forward: 0, sideways: 0, turn: 0 };
    for (const code of this.held) { const [axis, sign] = KEYS[code]; asked[axis] += sign; }
    const [walking, turning] = this.pads, pad = gamepad();
    asked.forward += pad.forward - walking.y;
    asked.sideways += pad.sideways - walking.x;
    asked.turn += pad.turn - turning.x + (this.owed && (this.owed - coast) * EAGER);
    for (const axis of Object.keys(asked)) asked[axis] = clamp(asked[axis], -1, 1);
    return { ...asked, hurry: this.shift || pad.hurry ? HURRY : 1 };
  }
  get idle() {
    const { forward, sideways, turn } = this.stick();
    return Math.abs(forward) + Math.abs(sideways) + Math.abs(turn) < 0.05;
  }
  turned(radians, coast) { // so much of what the mouse asked for is done; once the rest comes by itself it is let go
    if (this.owed) this.owed -= radians;
    if (Math.abs(this.owed - coast) < 0.01) this.owed = 0;
  }
}

function gamepad() {
  const pad = [...(navigator.getGamepads?.() || [])].find((each) => each?.connected);
  const axis = (k) => { const value = pad?.axes[k] || 0; return Math.abs(value) < DEAD ? 0 : value; };
  return { forward: -axis(1), sideways: -axis(0), turn: -axis(2), hurry: (pad?.buttons[7]?.value || 0) > 0.5 };
}

// A round field under a thumb: x to the right and y down, -1 to 1.
class TouchStick {
  constructor(field) {
    Object.assign(this, { x: 0, y: 0, knob: field.firstElementChild });
    field.addEventListener("pointerdown", (event) => {
      field.setPointerCapture(event.pointerId);
      this.pointer = event.pointerId;
      this.follow(event);
    });
    field.addEventListener("pointermove", (event) => { if (event.pointerId === this.pointer) this.follow(event); });
    for (const end of ["pointerup", "pointercancel"]) field.addEventListener(end, () => this.release());
  }
  follow(event) {
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    const x = (2 * (event.clientX - left)) / width - 1, y = (2 * (event.clientY - top)) / height - 1;
    const length = Math.max(1, Math.hypot(x, y));
    Object.assign(this, { x: x / length, y: y / length });
    this.show();
  }
  release() {
    Object.assign(this, { x: 0, y: 0, pointer: null });
    this.show();
  }
  show() { this.knob.style.transform = `translate(${30 * this.x}px, ${30 * this.y}px)`; }
}
