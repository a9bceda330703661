// How VRM avatars play VRM animations by @pixiv/three-vrm-animation, for tests/formats/test_vrma.py.
// node vrma.mjs NODE_MODULES AVATAR ANIMATION… prints one JSON line an animation: its issues by the Khronos validator
// and the world positions of the avatar's bones by name, a list of frames.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, avatar, ...files] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + "/"));
const load = (path) => import(pathToFileURL(modules + path));
globalThis.self = globalThis; // three.js expects a browser
const THREE = await load("/three/build/three.module.js");
const { GLTFLoader } = await load("/three/examples/jsm/loaders/GLTFLoader.js");
const { VRMLoaderPlugin } = await load("/@pixiv/three-vrm/lib/three-vrm.module.js");
const { VRMAnimationLoaderPlugin, createVRMAnimationClip } = await load(
  "/@pixiv/three-vrm-animation/lib/three-vrm-animation.module.js",
);
const validator = require(modules + "/gltf-validator");

const read = (path) => new Uint8Array(readFileSync(path));
const parse = (path) => {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  loader.register((parser) => new VRMAnimationLoaderPlugin(parser));
  return new Promise((done, fail) => loader.parse(read(path).buffer, "", done, fail));
};

for (const file of files) {
  const vrm = (await parse(avatar)).userData.vrm;
  const animation = (await parse(file)).userData.vrmAnimations[0];
  const clip = createVRMAnimationClip(animation, vrm);
  const mixer = new THREE.AnimationMixer(vrm.scene);
  mixer.clipAction(clip).setLoop(THREE.LoopOnce, 1).play();
  mixer.clipAction(clip).clampWhenFinished = true;
  const frames = Array.from(clip.tracks[0].times, (time) => {
    mixer.setTime(time);
    vrm.update(0);
    vrm.scene.updateMatrixWorld(true);
    const places = {};
    for (const bone of Object.keys(vrm.humanoid.humanBones)) {
      const node = vrm.humanoid.getRawBoneNode(bone);
      if (node) places[bone] = node.getWorldPosition(new THREE.Vector3()).toArray();
    }
    return places;
  });
  const report = await validator.validateBytes(read(file), { maxIssues: 100 });
  console.log(JSON.stringify({ issues: report.issues, frames }));
}
