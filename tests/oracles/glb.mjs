// What three.js and the Khronos validator make of GLB files, for tests/export/test_glb.py.
// node glb.mjs NODE_MODULES FILE… prints one JSON line a file: the validator's issues and, for each key of the
// animation, the world positions of the skin's joints and of every hundredth point of the skinned body.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + "/"));
globalThis.self = globalThis; // three.js expects a browser
const THREE = await import(pathToFileURL(modules + "/three/build/three.module.js"));
const { GLTFLoader } = await import(pathToFileURL(modules + "/three/examples/jsm/loaders/GLTFLoader.js"));
const validator = require(modules + "/gltf-validator");

for (const file of files) {
  const bytes = new Uint8Array(readFileSync(file));
  const report = await validator.validateBytes(bytes, { maxIssues: 100 });
  const gltf = await new Promise((done, fail) => new GLTFLoader().parse(bytes.slice().buffer, "", done, fail));
  let body;
  gltf.scene.traverse((node) => node.isSkinnedMesh && (body = node));
  const mixer = new THREE.AnimationMixer(gltf.scene);
  const clip = gltf.animations[0];
  mixer.clipAction(clip).setLoop(THREE.LoopOnce, 1).play();
  mixer.clipAction(clip).clampWhenFinished = true;
  const frames = Array.from(clip.tracks[0].times, (time) => {
    mixer.setTime(time);
    gltf.scene.updateMatrixWorld(true);
    const joints = body.skeleton.bones.map((bone) => bone.getWorldPosition(new THREE.Vector3()).toArray());
    const points = [];
    for (let i = 0; i < body.geometry.attributes.position.count; i += 100)
      points.push(body.localToWorld(body.getVertexPosition(i, new THREE.Vector3())).toArray());
    return { joints, points };
  });
  console.log(JSON.stringify({ issues: report.issues, frames }));
}
