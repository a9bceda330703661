// Types of moglow.js. Metres, seconds, radians; Y up, +Z ahead, +X to the left; quaternions are w first.

export type Vector = [x: number, y: number, z: number];
export type Quaternion = [w: number, x: number, y: number, z: number];
/** A place on the ground; a heading of 0 looks along +Z, a positive one to the left. */
export type Place = [x: number, z: number, heading: number];
/** Metres a second, and radians a second for the turn; left is positive. */
export type Velocities = [forward: number, sideways: number, turn: number];

/** From -1 to 1 along each axis, left positive; `hurry` multiplies the walking speed. */
export interface Stick {
  forward?: number;
  sideways?: number;
  turn?: number;
  hurry?: number;
}

export interface Frame {
  /** The channels of the model, in metres and radians. */
  pose: Float32Array;
  /** The local rotation of each joint. */
  rotations: Quaternion[];
  /** The local position of the joint `carrier`; all other joints keep their `bones`. */
  position: Vector;
  place: Place;
}

export interface WalkerOptions {
  /** The same seed and input give the same motion; 0 by default. */
  seed?: number;
  /** One of `Model.styles`; the default style if null. */
  style?: string | null;
  /** 0 is calmest, 1 as varied as the recordings; 0.7 by default. */
  temperature?: number;
  /** Whether planted feet are held in place; true by default. */
  footLock?: boolean;
}

/** Loads the weights that `moglow export-model model.json` wrote, from an address or from the parsed JSON. */
export function loadModel(source: string | URL | object): Promise<Model>;

export class Model {
  private constructor();
  readonly fps: number;
  /** Frames that `Walker.advance` sees beyond the current one. */
  readonly lookahead: number;
  readonly styles: readonly string[];
  /** The joints: names, parents (-1 for the root), and offsets from the parents. */
  readonly names: readonly string[];
  readonly parents: readonly number[];
  readonly bones: readonly Vector[];
  /** The joint that moves the figure. */
  readonly carrier: number;
  readonly steering: Steering;
  walker(options?: WalkerOptions): Walker;
  /** The path through points on the ground from a place on, one velocity a frame; null for a tap. */
  route(place: Place, points: [x: number, z: number][]): Velocities[] | null;
}

/** A figure that walks. */
export class Walker {
  constructor(model: Model, options?: WalkerOptions);
  readonly model: Model;
  style: string | null;
  temperature: number;
  footLock: boolean;
  readonly place: Place;
  /** Goes on by one frame, steered by a stick. */
  step(stick?: Stick): Frame;
  /** Goes on by one frame, by the velocities of this frame and of those after it; the last one is held. The upper body is
   * turned by `twisting`, an angle of `Steering.twisting`, by default 0. */
  advance(velocities: Velocities[], noise?: Float32Array, twisting?: number): Frame;
  /** World positions of joints, then of end sites, three numbers each. */
  points(frame: Pick<Frame, "rotations" | "position">): Float32Array;
}

/** From a stick to velocities by critically damped springs. */
export class Steering {
  private constructor();
  wanted(stick: Required<Omit<Stick, "hurry">> & { hurry?: number }): Velocities;
  step(moving: Moving, wanted: Velocities): Moving;
  ahead(moving: Moving, wanted: Velocities, frames: number): Velocities[];
  /** The angle by which the upper body is turned to the left of the hips. */
  twisting(moving: Moving): number;
}
export interface Moving {
  velocities: Velocities;
  accelerations: Velocities;
}
export const RESTING: Moving;

/** The place one frame later. */
export function walked(place: Place, velocities: Velocities, fps: number): Place;

export const version: string;
