"""Limbs: which joints along an arm or a leg are its thigh, shin and foot; numpy alone.

A limb is a chain that leaves the mid-line. Its parts keep their order along the chain, so every choice of joints in
order is tried, and the one wins whose names and proportions fit best. Names outweigh proportions; proportions decide
among equal names (twist segments) and where names say nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from moglow.anatomy.joint_names import Word
from moglow.maths.rotations import Array

# One unit of evidence from a name is worth this much misfit of proportions (natural logarithms of ratios).
_NAME_WEIGHT = 5.0
_ABSENT = 0.8  # cost of a part that is left out
_LONGEST = 14  # joints along a limb that are looked at; ropes and tentacles go on
_MOST = 64  # chains of a limb that are looked at, the longest; hands have five
_HAND_BRANCHES = 0.4  # what it is worth that a hand is where the fingers part


@dataclass(frozen=True)
class Body:
    """What is known before limbs are looked for: the tree, rest positions ``(J, 3)``, what names say, partners and
    how sure each is."""

    parents: Sequence[int]
    rest: Array
    words: Sequence[Word]
    partners: Sequence[int]
    sure: Sequence[float]

    @cached_property
    def lengths(self) -> Array:
        """Bone lengths ``(J,)``; 0 for the root."""
        return np.array(
            [
                np.linalg.norm(self.rest[j] - self.rest[p]) if p >= 0 else 0.0
                for j, p in enumerate(self.parents)
            ]
        )

    @cached_property
    def branches(self) -> set[int]:
        """Joints with more than one child."""
        return {joint for joint, children in Counter(self.parents).items() if children > 1}

    @cached_property
    def chains(self) -> dict[int, set[tuple[int, ...]]]:
        """Of each joint the chains that leave it towards the leaves, as far as they are looked at."""
        chains: dict[int, set[tuple[int, ...]]] = defaultdict(set)
        leaves = set(range(len(self.parents))) - set(self.parents)
        for joint in range(len(self.parents)):
            path = [joint]
            while len(path) < _LONGEST and self.parents[path[-1]] >= 0:
                path.append(self.parents[path[-1]])
            path.reverse()
            for i in range(len(path)) if joint in leaves else (0,):
                if len(path) == _LONGEST or joint in leaves:
                    chains[path[i]].add(tuple(path[i:]))
        return chains

    @cached_property
    def depths(self) -> list[int]:
        """How many joints lie between the root and each joint, it included."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 1)
        return depths

    def reach(self, upper: int, tip: int) -> float:
        """The length of the bones from a joint to one below it."""
        length = 0.0
        while tip != upper:
            length += float(self.lengths[tip])
            tip = self.parents[tip]
        return length

    def path(self, joint: int) -> list[int]:
        """From the root to the joint."""
        path = [joint]
        while self.parents[path[-1]] >= 0:
            path.append(self.parents[path[-1]])
        return path[::-1]

    def in_middle(self, joint: int) -> bool:
        """Whether the joint lies on the mid-line."""
        return self.partners[joint] == joint


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of limb: its parts from the body outwards, the usual length of each relative to its two main bones,
    other words for them, and which may be missing."""

    parts: tuple[str, ...]
    proportions: Mapping[str, float]
    main: tuple[str, str]
    optional: frozenset[str]
    synonyms: Mapping[str, str]
    prefix: str = ""


LEG = Kind(
    ("thigh", "shin", "foot", "toe"),
    {"thigh": 0.5, "shin": 0.5, "foot": 0.15},
    ("thigh", "shin"),
    frozenset({"toe"}),
    {},
)
ARM = Kind(
    ("clavicle", "upper_arm", "forearm", "hand"),
    {"clavicle": 0.25, "upper_arm": 0.53, "forearm": 0.47},
    ("upper_arm", "forearm"),
    frozenset({"clavicle", "hand"}),
    {},
)
FORE_LEG = Kind(
    ("clavicle", "thigh", "shin", "foot", "toe"),
    {"clavicle": 0.3, "thigh": 0.5, "shin": 0.5, "foot": 0.25},
    ("thigh", "shin"),
    frozenset({"clavicle", "toe"}),
    {"thigh": "upper_arm", "shin": "forearm", "foot": "hand"},
    prefix="front_",
)


@dataclass(frozen=True)
class Limb:
    """A pair of limbs, told by its half at ``root``: joints by part, what the names say of each, how ill the
    proportions fit."""

    kind: Kind
    root: int
    joints: Mapping[str, int]
    evidence: Mapping[str, float]
    misfit: float

    @property
    def named(self) -> float:
        """All evidence from names together."""
        return sum(self.evidence.values())

    @property
    def tip(self) -> int:
        """The foot or the hand."""
        return self.joints.get("foot", self.joints.get("hand", self.joints.get("forearm", self.root)))


def find_limb(kind: Kind, root: int, body: Body, fixed: Mapping[str, int]) -> Limb | None:
    """The best assignment of a kind's parts to joints below ``root``; None where no path is long enough.

    ``fixed`` is what the user has said (part -> joint). Where that fits no chain, the other parts are found without it.
    """
    said = [*fixed.values(), *(body.partners[joint] for joint in fixed.values())]
    here = any(root in body.path(joint) for joint in said)
    return _best_limb(kind, root, body, fixed) or (_best_limb(kind, root, body, {}) if here else None)


def _best_limb(kind: Kind, root: int, body: Body, fixed: Mapping[str, int]) -> Limb | None:
    paths = sorted(body.chains[root], key=lambda path: (-float(body.lengths[list(path[1:])].sum()), path))[
        :_MOST
    ]
    reach = float(body.lengths[list(paths[0][1:])].sum())
    best: tuple[float, Limb] | None = None
    for path in paths:
        along = np.cumsum([0.0, *body.lengths[list(path[1:])]])
        speaks = {part: [_evidence(kind, part, j, body, fixed) for j in path] for part in kind.parts}
        open_ = _candidates(kind, speaks)
        for parts in _choices(kind):
            for places in combinations(open_, len(parts)):
                evidence = {part: speaks[part][i] for part, i in zip(parts, places, strict=True)}
                if min(evidence.values()) < 0:
                    continue
                misfit = _misfit(kind, parts, along[list(places)], reach)
                if parts[-1] == "hand" and path[places[-1]] in body.branches:
                    misfit -= _HAND_BRANCHES
                score = _NAME_WEIGHT * sum(evidence.values()) - misfit
                if best is None or score > best[0] + 1e-9:
                    joints = {part: path[i] for part, i in zip(parts, places, strict=True)}
                    best = score, Limb(kind, root, joints, evidence, misfit)
    return best[1] if best else None


def _evidence(kind: Kind, part: str, joint: int, body: Body, fixed: Mapping[str, int]) -> float:
    if part in fixed:
        return 10.0 if joint in (fixed[part], body.partners[fixed[part]]) else -1.0
    spellings = [part, kind.synonyms.get(part, part)]
    pair = (joint, body.partners[joint])
    return float(np.mean([max(body.words[j].speaks_for(name) for name in spellings) for j in pair]))


def _candidates(kind: Kind, speaks: Mapping[str, list[float]]) -> list[int]:
    """The places along a path that are tried: where names tell every part that must be there, those that are named
    and the ones next to them; else all."""
    everywhere = range(len(speaks[kind.parts[0]]))
    if any(max(speaks[part]) <= 0 for part in kind.parts if part not in kind.optional):
        return list(everywhere)
    named = [i for i in everywhere if max(speaks[part][i] for part in kind.parts) > 0]
    return sorted({max(named[0] - 1, 0), *named, min(named[-1] + 1, everywhere[-1])})


def _choices(kind: Kind) -> list[tuple[str, ...]]:
    """The whole list of parts, and it with any of the optional ones left out."""
    optional = sorted(kind.optional)
    left_out = [set(gone) for count in range(len(optional) + 1) for gone in combinations(optional, count)]
    return [tuple(part for part in kind.parts if part not in gone) for gone in left_out]


def _misfit(kind: Kind, parts: Sequence[str], places: Array, reach: float) -> float:
    """Sum of |log(length / usual length)| over the bones, of what is missing, and of how far the two main bones
    fall short of half the limb."""
    bones = dict(zip(parts, np.diff(places), strict=False))
    whole = sum(bones.get(part, 0.0) for part in kind.main)
    cost = _ABSENT * (len(kind.parts) - len(parts))
    if whole <= 0:
        return cost + 10.0
    for part, length in bones.items():
        if part in kind.proportions:
            cost += min(abs(float(np.log(max(length, 1e-9) / whole / kind.proportions[part]))), 1.2)
    return cost + max(float(np.log(reach / whole / 2)), 0.0)
