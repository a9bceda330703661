// What three.js makes of BVH files, for tests/bvh/test_bvh_portability.py.
// bvh_three.mjs NODE_MODULES OUT {"FILE": METRES_PER_UNIT, …} writes {FILE: {fps, names, positions}} to OUT, in metres.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, out, files] = process.argv.slice(2);
const THREE = await import(pathToFileURL(modules + "/three/build/three.module.js"));
const { BVHLoader } = await import(pathToFileURL(modules + "/three/examples/jsm/loaders/BVHLoader.js"));

const found = {};
for (const [path, unit] of Object.entries(JSON.parse(files))) {
  const { skeleton, clip } = new BVHLoader().parse(readFileSync(path, "utf8"));
  const bones = skeleton.bones.filter((bone) => bone.name !== "ENDSITE");
  const times = clip.tracks[0].times;
  const mixer = new THREE.AnimationMixer(bones[0]);
  const action = mixer.clipAction(clip).setLoop(THREE.LoopOnce, 1);
  action.clampWhenFinished = true;
  action.play();
  const positions = Array.from(times, (time) => {
    mixer.setTime(time);
    bones[0].updateMatrixWorld(true);
    return bones.map((bone) => bone.getWorldPosition(new THREE.Vector3()).multiplyScalar(unit).toArray());
  });
  const fps = times.length > 1 ? (times.length - 1) / times[times.length - 1] : null; // one frame tells none
  found[path] = { fps, names: bones.map((bone) => bone.name), positions };
}
writeFileSync(out, JSON.stringify(found));
