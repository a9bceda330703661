"""Finds the mirror partner of each joint, by name or by shape. Needs numpy alone."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from moglow.anatomy.joint_names import Word
from moglow.maths.rotations import Array

# Largest relative difference in length of two limbs of a pair; measured actors differ by up to 6 % (CMU).
SHAPE_TOLERANCE = 0.2
_MOST_CHILDREN = 256  # children of one joint that are compared; bodies have far fewer
_MOST_BELOW = 512  # of a sub-tree's joints, the nearest ones, that are compared with another's
_MIDDLE = ("hips", "spine", "chest", "neck", "head")


def find_partners(
    words: Sequence[Word], parents: Sequence[int], rest: Array
) -> tuple[list[int], list[float]]:
    """Returns each joint's partner, itself on the mid-line, and the confidences.

    Joints are matched by name first. The rest is matched from the root down: children of one joint, or of partners,
    with equal bone lengths and mirrored positions.
    """
    partners, sure = list(range(len(words))), [0.0] * len(words)

    def pair(a: int, b: int, confidence: float) -> None:
        partners[a], partners[b] = b, a
        sure[a] = sure[b] = confidence

    by_key: dict[tuple[str, ...], dict[str, list[int]]] = defaultdict(lambda: {"left": [], "right": []})
    for j, word in enumerate(words):
        if word.side:
            by_key[word.key][word.side].append(j)
    for sides in by_key.values():
        for a, b in zip(sides["left"], sides["right"], strict=False):
            pair(a, b, 1.0)

    shape = _Shape(parents, rest)
    for j in range(len(words)):
        open_ = [c for c in shape.children[j] if partners[c] == c][:_MOST_CHILDREN]
        if not open_ or (partners[j] == j and len(open_) < 2):
            continue  # most joints: without it large skeletons take minutes
        if partners[j] == j:
            costs = shape.mirror_costs(j, open_)
            likely = [
                (costs[a, b], open_[a], open_[b]) for a, b in np.argwhere(costs <= SHAPE_TOLERANCE) if a < b
            ]
        elif j < partners[j]:
            theirs = [c for c in shape.children[partners[j]] if partners[c] == c][:_MOST_CHILDREN]
            likely = [(0.0, a, b) for a in open_ for b in theirs]
        else:
            continue
        options = [(cost + shape.cost(a, b), a, b) for cost, a, b in likely if _may_pair(words[a], words[b])]
        for price, a, b in sorted(options):
            if price <= SHAPE_TOLERANCE and partners[a] == a and partners[b] == b:
                same_word = words[a].side and words[a].stem == words[b].stem
                pair(a, b, 0.9 if same_word else 0.7 - float(price))
    return partners, sure


def _may_pair(a: Word, b: Word) -> bool:
    """Returns whether the names permit a pair: not two joints of one side, and not two of the spine."""
    if a.side or b.side:
        return a.side != b.side
    return not any(min(a.evidence_for(part), b.evidence_for(part)) > 0 for part in _MIDDLE)


class _Shape:
    """Bone lengths and centres of all sub-trees."""

    def __init__(self, parents: Sequence[int], rest: Array) -> None:
        self.rest = rest
        self.children: list[list[int]] = [[] for _ in parents]
        self.lengths = np.zeros(len(parents))
        counts, sums = np.ones((len(parents), 1)), rest.copy()
        for j, p in reversed(list(enumerate(parents))):
            if p >= 0:
                self.children[p].append(j)
                self.lengths[j] = np.linalg.norm(rest[j] - rest[p])
                counts[p] += counts[j]
                sums[p] += sums[j]
        for children in self.children:
            children.reverse()
        self.centres = sums / counts
        self.profiles: dict[int, tuple[Array, float, int]] = {}

    def _profile(self, joint: int) -> tuple[Array, float, int]:
        """Returns the bone lengths of a sub-tree, longest first, their sum and the number that are not zero."""
        if joint not in self.profiles:
            profile = self._lengths_below(joint)
            self.profiles[joint] = profile, float(profile.sum()), int(np.count_nonzero(profile))
        return self.profiles[joint]

    def _lengths_below(self, joint: int) -> Array:
        below = [joint]
        for j in below:
            below.extend(self.children[j])
            if len(below) > _MOST_BELOW:
                break
        return np.sort(self.lengths[below[:_MOST_BELOW]])[::-1]

    def cost(self, a: int, b: int) -> float:
        """Returns the difference of two sub-trees' bone lengths, relative to their sum."""
        (u, size_u, bones_u), (v, size_v, bones_v) = self._profile(a), self._profile(b)
        if len(u) != len(v):
            longest = max(len(u), len(v))
            u, v = np.pad(u, (0, longest - len(u))), np.pad(v, (0, longest - len(v)))
            size_u, size_v = float(u.sum()), float(v.sum())
        total = size_u + size_v
        return float(np.abs(u - v).sum()) / total + 0.05 * abs(bones_u - bones_v) if total else 0.0

    def mirror_costs(self, parent: int, joints: Sequence[int]) -> Array:
        """Returns the distances ``(N, N)`` between children of one joint and the mirror images of the others.

        They are measured by the positions of the joints or the centres of their sub-trees, whichever is smaller, across
        the best of the three planes.
        """
        costs = [np.full((len(joints), len(joints)), np.inf)]
        for places in (self.rest[joints], self.centres[joints]):
            ways = places - self.rest[parent]
            sizes = np.linalg.norm(ways, axis=-1)
            size = np.maximum(sizes[:, None] + sizes, 1e-12)
            for axis in range(3):
                images = np.where(np.arange(3) == axis, -ways, ways)
                apart = np.abs(ways[:, None, axis] - ways[:, axis]) > 0.1 * size
                opposite = ways[:, None, axis] * ways[:, axis] < 0
                cost = np.linalg.norm(images[:, None] - ways, axis=-1) / size
                costs.append(np.where(apart & opposite, cost, np.inf))
        best: Array = np.min(costs, axis=0)
        return best
