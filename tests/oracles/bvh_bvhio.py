"""What the package bvhio makes of BVH files, for tests/bvh/test_bvh_portability.py; the interface of bvh_blender.py."""

import json
import sys

import bvhio

out, files = sys.argv[1], json.loads(sys.argv[2])
found = {}
for path, unit in files.items():
    container = bvhio.readAsBvh(path)
    root = bvhio.convertBvhToHierarchy(container.Root)
    joints = [joint for joint, _, _ in root.layout()]
    positions = []
    for frame in range(container.FrameCount):
        root.loadPose(frame)
        positions.append([[unit * x for x in joint.PositionWorld] for joint in joints])
    found[path] = {
        "fps": 1 / container.FrameTime,
        "names": [joint.Name for joint in joints],
        "positions": positions,
    }
with open(out, "w") as file:
    json.dump(found, file)
