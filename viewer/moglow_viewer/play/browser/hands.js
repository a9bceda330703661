"use strict";
// Input devices combined into one stick: keys, the mouse, a touch screen's sticks and a gamepad. Left is positive.

const KEYS = { // physical keys, at the same places in every layout
  KeyW: ["forward", 1], ArrowUp: ["forward", 1], KeyS: ["forward", -1], ArrowDown: ["forward", -1],
  KeyA: ["sideways", 1], KeyD: ["sideways", -1],
  KeyQ: ["turn", 1], ArrowLeft: ["turn", 1], KeyE: ["turn", -1], ArrowRight: ["turn", -1],
};
const HURRY = 1.35; // factor of the walking speed with Shift or a gamepad's trigger
const DEAD = 0.15; // dead zone of a gamepad's stick
const RADIANS_A_PIXEL = 0.01; // by which the mouse turns the figure
const EAGER = 2.5; // rate, per second, at which the figure turns towards the mouse's heading

class Hands {
  constructor(view, pads) {
    Object.assign(this, { held: new Set(), pads: pads.map((pad) => new TouchStick(pad)), owed: 0 });
    window.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.code]) return;
      if (event.target.closest("input") && event.code.startsWith("Arrow")) return; // arrows move the slider
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

  // Returns the sum of all devices, -1 to 1 along each axis; `coast` is the turn in radians that is still to come.
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
  turned(radians, coast) { // subtracts a turn that was made; the rest is dropped when coasting completes it
    if (this.owed) this.owed -= radians;
    if (Math.abs(this.owed - coast) < 0.01) this.owed = 0;
  }
}

function gamepad() {
  const pad = [...(navigator.getGamepads?.() || [])].find((each) => each?.connected);
  const axis = (k) => { const value = pad?.axes[k] || 0; return Math.abs(value) < DEAD ? 0 : value; };
  return { forward: -axis(1), sideways: -axis(0), turn: -axis(2), hurry: (pad?.buttons[7]?.value || 0) > 0.5 };
}

// A round stick on a touch screen: x to the right and y down, -1 to 1.
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
