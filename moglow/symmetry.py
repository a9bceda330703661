"""Which joint is the other's mirror image: by name, else by shape. Floor 1; numpy alone."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from moglow.rotations import Array
from moglow.vocabulary import Word

# Two limbs may differ by this much of their length (measured actors do: CMU up to 6 %) and still be a pair.
SHAPE_TOLERANCE = 0.2
_MIDDLE = ("hips", "spine", "chest", "neck", "head")


def find_partners(
    words: Sequence[Word], parents: Sequence[int], rest: Array
) -> tuple[list[int], list[float]]:
    """Each joint's partner, itself on the mid-line, and how sure that is.

    Names come first; what they leave open is matched from the root down, children of one joint (or of
    partners) with the same bone lengths and mirrored places.
    """
    count = len(words)
    partners, sure = list(range(count)), [0.0] * count

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

    lengths = np.array([0.0 if p < 0 else np.linalg.norm(rest[j] - rest[p]) for j, p in enumerate(parents)])
    profiles = [np.sort(lengths[_subtree(parents, j)])[::-1] for j in range(count)]
    children = [[c for c, p in enumerate(parents) if p == j] for j in range(count)]

    def cost(a: int, b: int) -> float:
        if {words[a].side, words[b].side} in ({"left"}, {"right"}):
            return np.inf
        if any(
            min(words[a].speaks_for(part), words[b].speaks_for(part)) > 0
            for part in _MIDDLE
            if not words[a].side
        ):
            return np.inf
        return _shape_cost(profiles[a], profiles[b])

    for j in range(count):
        if partners[j] == j:
            open_ = [c for c in children[j] if partners[c] == c]
            options = [
                (cost(a, b) + _mirror_cost(rest, parents, a, b), a, b)
                for i, a in enumerate(open_)
                for b in open_[i + 1 :]
            ]
        elif j < partners[j]:
            options = [
                (cost(a, b), a, b)
                for a in children[j]
                for b in children[partners[j]]
                if partners[a] == a and partners[b] == b
            ]
        else:
            continue
        for price, a, b in sorted(options):
            if price <= SHAPE_TOLERANCE and partners[a] == a and partners[b] == b:
                same_word = words[a].side and words[b].side and words[a].stem == words[b].stem
                pair(a, b, 0.9 if same_word else 0.7 - price)
    return partners, sure


def _subtree(parents: Sequence[int], joint: int) -> list[int]:
    below = [joint]
    for j, p in enumerate(parents):
        if p in below:
            below.append(j)
    return below


def _shape_cost(a: Array, b: Array) -> float:
    """Difference of two sorted lists of bone lengths, as a share of their sum."""
    longest = max(len(a), len(b))
    a, b = np.pad(a, (0, longest - len(a))), np.pad(b, (0, longest - len(b)))
    total = float(a.sum() + b.sum())
    return (
        float(np.abs(a - b).sum()) / total + 0.05 * abs(np.count_nonzero(a) - np.count_nonzero(b))
        if total
        else 0.0
    )


def _mirror_cost(rest: Array, parents: Sequence[int], a: int, b: int) -> float:
    """How far two children of one joint are from mirror images of each other, across the best of the three planes."""
    origin, costs = rest[parents[a]], []
    for u, v in (
        (rest[a] - origin, rest[b] - origin),
        (rest[_subtree(parents, a)].mean(0) - origin, rest[_subtree(parents, b)].mean(0) - origin),
    ):
        size = float(np.linalg.norm(u) + np.linalg.norm(v))
        for axis in range(3):
            image = np.where(np.arange(3) == axis, -u, u)
            if size > 0 and u[axis] * v[axis] < 0 and abs(u[axis] - v[axis]) > 0.1 * size:
                costs.append(float(np.linalg.norm(image - v)) / size)
    return min(costs, default=np.inf)
