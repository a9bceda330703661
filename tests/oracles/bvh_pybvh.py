"""What the package pybvh makes of BVH files, for tests/bvh/test_bvh_portability.py; the interface of bvh_blender.py."""

import json
import sys

import pybvh

out, files = sys.argv[1], json.loads(sys.argv[2])
found = {}
for path, unit in files.items():
    clip = pybvh.read_bvh_file(path, world_up="+y")
    positions = (unit * clip.joint_positions()).tolist()
    found[path] = {"fps": 1 / clip.frame_time, "names": list(clip.joint_names), "positions": positions}
with open(out, "w") as file:
    json.dump(found, file)
