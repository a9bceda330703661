"""The joint lists of public rigs on a standing figure, for tests that should hold for any skeleton.

Each file in `trees` is a rig: how it writes left and right, then a tree by indentation, one joint a line: its name, the
place of the body where it sits, and the role it plays if that is not the place's own ("-" for none). ``*`` in a name is
where the rig writes the side; such joints come twice, left then right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moglow.anatomy.anatomy import ROLES
from moglow.maths.rotations import Array

TREES = Path(__file__).parent / "trees"

# Metres, facing +Z, left is +X.
PLACES = {
    "floor": (0, 0, 0),
    "hips": (0, 0.95, 0),
    "spine": (0, 1.05, 0),
    "spine2": (0, 1.15, 0),
    "spine3": (0, 1.25, 0),
    "chest": (0, 1.33, 0),
    "neck": (0, 1.50, 0),
    "neck2": (0, 1.55, 0.01),
    "head": (0, 1.60, 0.02),
    "crown": (0, 1.78, 0.02),
    "clavicle": (0.03, 1.44, 0),
    "upper_arm": (0.18, 1.45, -0.01),
    "upper_arm_middle": (0.31, 1.45, -0.01),
    "forearm": (0.45, 1.45, -0.02),
    "forearm_middle": (0.57, 1.45, -0.02),
    "hand": (0.69, 1.45, -0.01),
    "palm": (0.72, 1.45, 0.02),
    "finger": (0.78, 1.45, -0.01),
    "finger2": (0.82, 1.45, -0.01),
    "finger3": (0.85, 1.45, -0.01),
    "thumb": (0.73, 1.43, 0.04),
    "thigh": (0.09, 0.91, 0),
    "thigh_middle": (0.09, 0.71, 0),
    "shin": (0.09, 0.50, 0.01),
    "shin_middle": (0.09, 0.28, 0),
    "foot": (0.09, 0.09, -0.03),
    "heel": (0.09, 0.02, -0.06),
    "toe": (0.09, 0.02, 0.10),
    "toe_tip": (0.09, 0.02, 0.18),
    "pelvis": (0.05, 1.0, 0.03),
    "breast": (0.08, 1.33, 0.1),
    "eye": (0.03, 1.68, 0.1),
}
DOG = {
    "floor": (0, 0, 0),
    "hips": (0, 0.50, -0.30),
    "spine": (0, 0.52, -0.10),
    "chest": (0, 0.52, 0.15),
    "neck": (0, 0.58, 0.28),
    "head": (0, 0.70, 0.40),
    "tail": (0, 0.52, -0.36),
    "tail2": (0, 0.50, -0.55),
    "thigh": (0.07, 0.48, -0.28),
    "shin": (0.08, 0.30, -0.20),
    "foot": (0.08, 0.14, -0.33),
    "toe": (0.08, 0.03, -0.28),
    "front_clavicle": (0.04, 0.55, 0.18),
    "front_thigh": (0.08, 0.42, 0.26),
    "front_shin": (0.08, 0.26, 0.18),
    "front_foot": (0.08, 0.08, 0.19),
    "front_toe": (0.08, 0.02, 0.24),
}


@dataclass(frozen=True)
class Rig:
    """Names, parents, rest positions, and what a person would say: the joint of each role, and partners."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: Array
    roles: Mapping[str, int]
    partners: tuple[int, ...]

    def scrambled(self) -> "Rig":
        """Returns the same rig with meaningless names."""
        return replace(self, names=tuple(f"q{j}x" for j in range(len(self.names))))


def _rig(name: str, places: dict[str, tuple[float, float, float]] = PLACES) -> Rig:
    text = (TREES / f"{name.replace(', ', '_').replace(' ', '_')}.txt").read_text(encoding="utf-8")
    left, right = text.splitlines()[0].split()[-2:]
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    names: list[str] = []
    parents: list[int] = []
    rest: list[Array] = []
    roles: dict[str, int] = {}
    twins: dict[tuple[int, str], int] = {}

    def add(first: int, side: str, parent: int) -> int:
        """Adds the joint of a line and all below it; returns the next line of the same depth or less."""
        depth = len(lines[first]) - len(lines[first].lstrip())
        name, place, role, *_ = [*(part.strip() for part in lines[first].split("|")), ""]
        role = role or (place if place in ROLES or f"left_{place}" in ROLES else "-")
        sides = ("left", "right") if "*" in name and not side else (side,)
        after = first + 1
        for this in sides:
            joint = len(names)
            names.append(name.replace("*", left if this == "left" else right))
            parents.append(parent)
            rest.append(np.array(places[place]) * np.array([-1.0 if this == "right" else 1.0, 1.0, 1.0]))
            if role != "-":
                roles[f"{this}_{role}" if this else role] = joint
            twins[first, this] = joint
            after = first + 1
            while after < len(lines) and len(lines[after]) - len(lines[after].lstrip()) > depth:
                after = add(after, this, joint)
        return after

    add(0, "", -1)
    partners = list(range(len(names)))
    for (line, side), joint in twins.items():
        if side:
            partners[joint] = twins[line, "right" if side == "left" else "left"]
    return Rig(tuple(names), tuple(parents), np.array(rest), roles, tuple(partners))


RIGS = {
    name: _rig(name)
    for name in (
        "cmu",
        "bandai",
        "snu",
        "mixamo",
        "rigify",
        "unreal",
        "xsens",
        "xsens mvn",
        "biped",
        "biped, thighs on the spine",
        "smpl",
        "asf",
        "no toes, no collar bones",
    )
}
MORE_RIGS = {
    name: _rig(name) for name in ("daz", "advanced skeleton", "vrm", "character creator", "optitrack")
}
DOGS = {name: _rig(f"dog, {name}", DOG) for name in ("named like a biped", "rigify")}
