"""What reads damaged files: one target for each kind of file, with examples that are whole."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from moglow.anatomy.anatomy import read_map
from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.corpus.sources import read_splits
from moglow.directing.pin_files import read_pins
from moglow.errors import ExportError
from moglow.files.tensors import read_tensors
from moglow.footsteps.files import read_footprints
from moglow.formats.export import export
from moglow.formats.read import read_motion
from moglow.ground.reading import read_ground
from moglow.maths.rotations import quat_angle
from moglow.motion.clip import Clip
from moglow.paths.csv_files import read_path
from moglow.recipe import read_recipe
from moglow.takes.sidecars import read_sidecar, sidecar_of
from tests.support import fbx_files
from tests.support.tiny import tiny_corpus

DATA = Path(__file__).resolve().parents[2] / "data"
FRAMES = 8
"""Frames of an example, since more short files can be tried."""
SAME = 1e-5
"""Metres a metre, and radians, by which a motion may change when it is written and read again."""


@dataclass(frozen=True)
class Target:
    """A kind of file: its suffix, whole examples of it, and what reads a file and uses what it says."""

    suffix: str
    examples: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]


@cache
def sample() -> Clip:
    """Returns a short walk."""
    return read_bvh(DATA / "samples" / "walk.bvh")[:FRAMES]


def exported(suffix: str) -> list[bytes]:
    """Returns the walk in another format; nothing where the package for it is missing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"walk{suffix}")
        try:
            export(sample(), file)
        except (ExportError, ModuleNotFoundError):
            return []
        return [file.read_bytes()]


def bvh_files() -> list[bytes]:
    """Returns the first frames of the samples."""
    return [shortened(file.read_bytes()) for file in sorted((DATA / "samples").glob("*.bvh"))]


def shortened(data: bytes) -> bytes:
    """Returns a BVH file with its first frames only."""
    head, _, rest = data.partition(b"MOTION")
    lines = rest.split(b"\n")
    count = min(FRAMES, int(lines[1].split()[1]))
    return head + b"\n".join([b"MOTION", b"Frames: %d" % count, *lines[2 : 3 + count]]) + b"\n"


def read_and_write(file: Path) -> None:
    """Reads a BVH file; if it can be read, it is written, and read back as the same motion."""
    read_bvh(file)
    clip = read_bvh(file, unit="cm", up="Y")  # damaged figures may be upside down
    again = file.with_name("again.bvh")
    write_bvh(clip, again)
    back = read_bvh(again, unit="cm", up="Y")
    turn = quat_angle(back.rotations, clip.rotations).max()
    place = np.abs(back.positions - clip.positions).max() / max(1.0, np.abs(clip.positions).max())
    assert turn < SAME and place < SAME, (turn, place)


def written(write: Callable[[Path], object]) -> list[bytes]:
    """Returns what a function writes to a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "file")
        write(file)
        return [file.read_bytes()]


def fbx_scenes() -> list[bytes]:
    """Returns a leg that moves, as a binary and as a text file."""
    nodes: list[tuple[str, int, str, Sequence[fbx_files.Row]]] = [
        ("Hips", -1, "LimbNode", []),
        ("Thigh_L", 0, "LimbNode", []),
        ("Shin_L", 1, "LimbNode", []),
    ]
    curves = [(1, "R", "X", [0.0, 0.1, 0.2], [0.0, 10.0, 0.0], 8)]
    rows = fbx_files.scene(nodes, curves)
    return [fbx_files.binary(rows), fbx_files.binary(rows, packed=False), fbx_files.text(rows)]


def sidecars(file: Path) -> None:
    """Reads the sidecar of a motion that is there."""
    motion = file.with_name("walk.bvh")
    motion.write_bytes(b"HIERARCHY")
    sidecar_of(motion).write_bytes(file.read_bytes())
    read_sidecar(motion)


def amc_with_skeleton(file: Path) -> None:
    """Reads an .amc beside the skeleton of its subject."""
    file.with_name("legs.asf").write_text(ASF, encoding="utf-8")
    read_motion(f"{file}#legs.asf")


ASF = """:version 1.10
:units
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name thigh
     direction 0.34202 -0.939693 0
     length 7.59371
     axis 0 0 20  XYZ
    dof rx ry rz
  end
  begin
     id 2
     name shin
     direction 0.34202 -0.939693 0
     length 7.28717
     axis 0 0 20   XYZ
    dof rx
  end
:hierarchy
  begin
    root thigh
    thigh shin
  end
"""
AMC = "#!OML:ASF\n:FULLY-SPECIFIED\n:DEGREES\n" + "".join(
    f"{k}\nroot 1 {k} 1 0 0 0\nthigh 1 2 {k}\nshin {k}\n" for k in range(1, 6)
)
CSV = [
    "# fps: 30\nt,x,z,heading,style\n0,0,0,0,calm\n1,0.5,1,10,calm\n2,1,2,20,calm\n",
    "x,z\n0,0\n0,3\n2,5\n",
    "forward,left,turn\n" + "1.2,0,0.1\n" * 20,
    "t;x;z\n0;0,5;0\n1;1,5;1\n",
]
FOOTPRINTS = "t_on,t_off,foot,x,z,heading,height\n0.1,0.7,left,0.1,0.2,0,0\n0.6,1.2,right,-0.1,0.8,,\n"
PINS_CSV = "t,pose,frame,reach,until,x,y,z\n1,walk.bvh,3,,,,,\n2,,,left_hand,,0.3,1.2,0.4\n1,,,,3,1,1.5,4\n"
PINS_JSON = """[{"t": 1, "pose": "walk.bvh", "frame": 3, "joints": ["arms"]},
{"t": 2, "reach": "head", "x": 0, "y": 1.5, "z": 1}]"""
SPLITS = '{"a": {"train": ["one.bvh", "two.bvh"], "val": ["three.bvh"]}, "b": {"test": []}}'
MAP = '[roles]\nleft_foot = "Ankle_L"\nhips = ""\n[partners]\n"Antenna_A" = "Antenna_B"\n'
SIDECAR = (
    '{"moglow": "1.0", "model_sha256": "00", "control_sha256": "00", "take": 0, "bytes": 9, "sha256": "%s"}'
)
OBJ = "v 0 0 0\nv 1 0 0\nv 0 0 1\nv 1 0.2 1\nf 1 3 2\nf 2/1 3/1 4/1\n"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000030000000308000000007343ea63"
    "0000001449444154789c6360706860121010606164620600085600fd240c0b3c0000000049454e44ae426082"
)


def texts(*contents: str) -> Callable[[], list[bytes]]:
    """Returns what returns some texts as bytes."""
    return lambda: [content.encode() for content in contents]


def recipes() -> list[bytes]:
    """Returns the recipes of the repository."""
    return [file.read_bytes() for file in sorted(DATA.glob("**/*.toml"))][:6]


def checkpoint_head() -> list[bytes]:
    """Returns the model inside the package."""
    from moglow.sampling.generate import PRETRAINED

    return [PRETRAINED.read_bytes()]


FILES: Mapping[str, Target] = {
    "bvh": Target(".bvh", bvh_files, read_and_write),
    "csv": Target(".csv", texts(*CSV), read_path),
    "footprints": Target(".csv", texts(FOOTPRINTS), lambda file: read_footprints(file, ("left", "right"))),
    "pins-csv": Target(".csv", texts(PINS_CSV), read_pins),
    "pins-json": Target(".json", texts(PINS_JSON), read_pins),
    "splits": Target(".json", texts(SPLITS), read_splits),
    "sidecar": Target(".json", texts(SIDECAR), sidecars),
    "recipe": Target(".toml", recipes, read_recipe),
    "map": Target(".toml", texts(MAP), read_map),
    "tensors": Target(".safetensors", lambda: written(tiny_corpus().write), lambda file: read_tensors(file)),
    "corpus": Target(".corpus", lambda: written(tiny_corpus().write), Corpus.open),
    "checkpoint": Target(".safetensors", checkpoint_head, Checkpoint.read),
    "glb": Target(".glb", lambda: exported(".glb"), read_motion),
    "vrma": Target(".vrma", lambda: exported(".vrma"), read_motion),
    "usd": Target(".usda", lambda: exported(".usda"), read_motion),
    "fbx": Target(".fbx", fbx_scenes, read_motion),
    "asf": Target(".asf", texts(ASF), lambda file: read_motion(file, pose_only=True)),
    "amc": Target(".amc", texts(AMC), amc_with_skeleton),
    "obj": Target(".obj", texts(OBJ), lambda file: read_ground(str(file))),
    "glb-ground": Target(".glb", lambda: exported(".glb"), lambda file: read_ground(str(file))),
    "png": Target(".png", lambda: [PNG], lambda file: read_ground(f"{file}:size=10")),
}
