"""Finds the parts of a limb, such as thigh, shin and foot, among the joints of a chain. Needs numpy alone.

A limb is a chain that branches off the mid-line. All choices of joints in the order of the parts are tried, and the one
whose names and proportions fit best is returned. Names outweigh proportions, which decide between equal names (twist
segments) and without names.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from moglow.anatomy.joint_names import Word
from moglow.maths.rotations import Array

# The misfit of proportions (natural logarithms of ratios) that one unit of evidence from a name outweighs.
_NAME_WEIGHT = 5.0
_ABSENT = 0.8  # cost of an omitted part
_LONGEST = 14  # joints of a chain that are considered; ropes and tentacles may have more
_MOST = 64  # chains of a limb that are considered, the longest ones; a hand has five
_HAND_BRANCHES = 0.4  # evidence for a hand at the joint where the fingers branch


@dataclass(frozen=True)
class BodyTree:
    """The input of the search for limbs: tree, rest positions ``(J, 3)``, parsed names, partners and confidences."""

    parents: Sequence[int]
    rest: Array
    words: Sequence[Word]
    partners: Sequence[int]
    sure: Sequence[float]

    @cached_property
    def lengths(self) -> Array:
        """Returns the bone lengths ``(J,)``; 0 for the root."""
        return np.array(
            [
                np.linalg.norm(self.rest[j] - self.rest[p]) if p >= 0 else 0.0
                for j, p in enumerate(self.parents)
            ]
        )

    @cached_property
    def branches(self) -> set[int]:
        """Returns the joints with more than one child."""
        return {joint for joint, children in Counter(self.parents).items() if children > 1}

    @cached_property
    def chains(self) -> dict[int, set[tuple[int, ...]]]:
        """Returns the chains from each joint towards the leaves, at most ``_MOST`` of at most ``_LONGEST`` joints."""
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
        """The number of joints on the way from the root to each joint, which is included."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 1)
        return depths

    def reach(self, upper: int, tip: int) -> float:
        """Returns the summed length of the bones from a joint to one of its descendants."""
        length = 0.0
        while tip != upper:
            length += float(self.lengths[tip])
            tip = self.parents[tip]
        return length

    def path(self, joint: int) -> list[int]:
        """Returns the joints from the root to ``joint``."""
        path = [joint]
        while self.parents[path[-1]] >= 0:
            path.append(self.parents[path[-1]])
        return path[::-1]

    def in_middle(self, joint: int) -> bool:
        """Returns whether the joint is on the mid-line."""
        return self.partners[joint] == joint


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of limb: its parts from the body outwards, their usual lengths relative to the two main bones, their other
    names, and the optional ones."""

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
    """A pair of limbs, represented by the one at ``root``: joints and evidence by part, and misfit of proportions."""

    kind: Kind
    root: int
    joints: Mapping[str, int]
    evidence: Mapping[str, float]
    misfit: float

    @property
    def named(self) -> float:
        """Returns the sum of the evidence from names."""
        return sum(self.evidence.values())

    @property
    def tip(self) -> int:
        """Returns the joint of the foot or hand."""
        return self.joints.get("foot", self.joints.get("hand", self.joints.get("forearm", self.root)))


def find_limb(kind: Kind, root: int, body: BodyTree, fixed: Mapping[str, int]) -> Limb | None:
    """Returns the best assignment of a kind's parts to joints below ``root``; None if all chains are too short.

    ``fixed`` maps parts to joints set by the user. If they fit no chain, the other parts are found without them.
    """
    chosen = [*fixed.values(), *(body.partners[joint] for joint in fixed.values())]
    here = any(root in body.path(joint) for joint in chosen)
    return _best_limb(kind, root, body, fixed) or (_best_limb(kind, root, body, {}) if here else None)


def _best_limb(kind: Kind, root: int, body: BodyTree, fixed: Mapping[str, int]) -> Limb | None:
    paths = sorted(body.chains[root], key=lambda path: (-float(body.lengths[list(path[1:])].sum()), path))[
        :_MOST
    ]
    reach = float(body.lengths[list(paths[0][1:])].sum())
    memory: dict[tuple[str, int], float] = {}  # chains share most of their joints
    best: tuple[float, Limb] | None = None
    for path in paths:
        along = np.cumsum([0.0, *body.lengths[list(path[1:])]])
        by_part = {part: [_evidence(kind, part, j, body, fixed, memory) for j in path] for part in kind.parts}
        open_ = _candidates(kind, by_part)
        for parts in _choices(kind):
            places = _combinations(len(open_), len(parts))
            if not len(places):
                continue
            places = np.array(open_)[places]
            evidence = np.stack(
                [np.array(by_part[part])[places[:, k]] for k, part in enumerate(parts)], axis=1
            )
            allowed = evidence.min(1) >= 0
            places, evidence = places[allowed], evidence[allowed]
            misfits = _misfits(kind, parts, along[places], reach)
            if parts[-1] == "hand":
                branches = np.array([joint in body.branches for joint in path])
                misfits = misfits - np.where(branches[places[:, -1]], _HAND_BRANCHES, 0.0)
            scores = _NAME_WEIGHT * _added(evidence.T) - misfits
            highest = np.maximum.accumulate(np.concatenate([[-np.inf], scores]))[:-1]
            for row in np.flatnonzero(scores > highest).tolist():
                if best is None or scores[row] > best[0] + 1e-9:
                    joints = {part: path[i] for part, i in zip(parts, places[row].tolist(), strict=True)}
                    found = dict(zip(parts, evidence[row].tolist(), strict=True))
                    best = float(scores[row]), Limb(kind, root, joints, found, float(misfits[row]))
    return best[1] if best else None


@cache
def _combinations(count: int, chosen: int) -> NDArray[np.intp]:
    """Returns the ascending choices ``(C, chosen)`` of ``chosen`` among ``count`` places, in lexicographic order."""
    places = np.array(list(combinations(range(count), chosen)), np.intp).reshape(-1, chosen)
    places.setflags(write=False)
    return places


def _added(values: Iterable[Array]) -> Array:
    """Returns the sum of arrays, added from the first to the last."""
    nothing: Array = np.zeros(1)
    return sum(values, start=nothing)


def _evidence(
    kind: Kind,
    part: str,
    joint: int,
    body: BodyTree,
    fixed: Mapping[str, int],
    memory: MutableMapping[tuple[str, int], float],
) -> float:
    """Returns the evidence that a joint is a part; ``memory`` keeps that of joints that several chains share."""
    if (part, joint) not in memory:
        memory[part, joint] = _evidence_of(kind, part, joint, body, fixed)
    return memory[part, joint]


def _evidence_of(kind: Kind, part: str, joint: int, body: BodyTree, fixed: Mapping[str, int]) -> float:
    if part in fixed:
        return 10.0 if joint in (fixed[part], body.partners[fixed[part]]) else -1.0
    spellings = [part, kind.synonyms.get(part, part)]
    own, twin = (
        max(body.words[j].evidence_for(name) for name in spellings) for j in (joint, body.partners[joint])
    )
    return (own + twin) / 2


def _candidates(kind: Kind, by_part: Mapping[str, list[float]]) -> list[int]:
    """Returns the indices along a chain that are tried.

    If names identify every required part, these are the named joints and their neighbours, otherwise all joints.
    """
    everywhere = range(len(by_part[kind.parts[0]]))
    if any(max(by_part[part]) <= 0 for part in kind.parts if part not in kind.optional):
        return list(everywhere)
    named = [i for i in everywhere if max(by_part[part][i] for part in kind.parts) > 0]
    return sorted({max(named[0] - 1, 0), *named, min(named[-1] + 1, everywhere[-1])})


def _choices(kind: Kind) -> list[tuple[str, ...]]:
    """Returns the parts, with every subset of the optional ones omitted."""
    optional = sorted(kind.optional)
    left_out = [set(gone) for count in range(len(optional) + 1) for gone in combinations(optional, count)]
    return [tuple(part for part in kind.parts if part not in gone) for gone in left_out]


def _misfits(kind: Kind, parts: Sequence[str], places: Array, reach: float) -> Array:
    """Returns the misfit ``(C,)`` of the proportions of choices with parts at ``places`` ``(C, P)`` along a chain.

    It is the sum of |log(length / usual length)| over the bones, the cost of omitted parts, and a penalty if the two
    main bones are shorter than half of the limb.
    """
    bones = dict(zip(parts, np.diff(places, axis=1).T, strict=False))
    whole = _added(bones[part] for part in kind.main if part in bones) + np.zeros(len(places))
    omitted = _ABSENT * (len(kind.parts) - len(parts))
    some = np.where(whole > 0, whole, 1.0)
    cost = np.full(len(places), omitted)
    for part, length in bones.items():
        if part in kind.proportions:
            cost = cost + np.minimum(
                np.abs(np.log(np.maximum(length, 1e-9) / some / kind.proportions[part])), 1.2
            )
    cost = cost + np.maximum(np.log(np.maximum(reach, 1e-300) / some / 2), 0.0)
    misfits: Array = np.where(whole > 0, cost, omitted + 10.0)
    return misfits
