"""Finds the legs and arms of a body, and its mid-line from hips to head. Needs numpy alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moglow.anatomy.limbs import ARM, FORE_LEG, LEG, BodyTree, Kind, Limb, find_limb

SIDES = ("left", "right")
Found = dict[str, tuple[int, float]]  # role -> joint, confidence

_NAMED = 1.0  # least evidence at which names decide the kind of a limb
_SHORTEST = 0.4  # least length relative to the longest pair; ears, eyes and pony tails are shorter


@dataclass(frozen=True)
class _Pair:
    """A left and a right limb, fitted as each possible kind; ``kind`` is the one that their names imply, or None."""

    limbs: Mapping[Kind, Limb]
    kind: Kind | None
    length: float  # of the two main bones
    depth: int  # joints from the root
    height: float  # of the foot or hand


def find_limbs(body: BodyTree, fixed: Mapping[Kind, Mapping[str, int]]) -> list[Limb]:
    """Returns the legs, then the arms or fore legs, at most one pair of each; ``fixed`` has the joints set by the user.

    Without names, the legs are the pair that branches off nearest to the root; among equals, the lowest.
    """
    roots = [j for j, p in enumerate(body.parents) if p >= 0 and body.in_middle(p) and body.partners[j] > j]
    pairs = [pair for root in roots if (pair := _find_pair(body, root, fixed))]
    reach = max((pair.length for pair in pairs), default=0.0)
    pairs = [pair for pair in pairs if pair.kind or pair.length >= _SHORTEST * reach]
    legs = [pair for pair in pairs if pair.kind is LEG] or [p for p in pairs if not p.kind and LEG in p.limbs]
    legs = sorted(legs, key=lambda pair: (pair.depth, pair.height))[:1]
    limbs = [pair.limbs[LEG] for pair in legs]
    others = [pair for pair in pairs if pair not in legs]
    if others:
        other = max(others, key=lambda pair: (pair.kind is not None, pair.kind is not ARM, pair.length))
        fore = other.kind in (LEG, FORE_LEG) or bool(limbs and _reaches_floor(body, limbs[0], other.height))
        limbs += [other.limbs[kind] for kind in [FORE_LEG if fore else ARM] if kind in other.limbs]
    return limbs


def _find_pair(body: BodyTree, root: int, fixed: Mapping[Kind, Mapping[str, int]]) -> _Pair | None:
    found = {kind: find_limb(kind, root, body, fixed[kind]) for kind in (LEG, ARM, FORE_LEG)}
    limbs = {kind: limb for kind, limb in found.items() if limb}
    if not limbs:
        return None
    # Arms and fore legs have the same names. Only "front", "fore" or the user make a limb a fore leg.
    front = FORE_LEG in limbs and any(body.words[j].front for j in limbs[FORE_LEG].joints.values())
    claims = {
        kind: limb.named for kind, limb in limbs.items() if kind is not FORE_LEG or front or fixed[FORE_LEG]
    }
    kind = max(claims, key=lambda kind: (claims[kind], kind is FORE_LEG), default=None)
    if kind is None or claims[kind] < _NAMED:
        kind = None
    limb = limbs[kind] if kind else next(iter(limbs.values()))
    length = body.reach(limb.joints[limb.kind.main[0]], limb.tip)
    return _Pair(limbs, kind, length, body.depths[root], float(body.rest[limb.tip, 1]))


def _stands(body: BodyTree, legs: Limb) -> bool:
    """Returns whether the figure stands in its rest pose; in Bandai's files, bones lie along X."""
    thigh, shin, foot = (body.rest[legs.joints[part]] for part in ("thigh", "shin", "foot"))
    length = np.linalg.norm(thigh - shin) + np.linalg.norm(shin - foot)
    return bool(thigh[1] - foot[1] > 0.6 * length)


def _reaches_floor(body: BodyTree, legs: Limb, height: float) -> bool:
    """Returns whether hands at this height are on the floor; if the rest pose does not stand, whether a tail exists."""
    if not _stands(body, legs):
        return any(word.stem.startswith("tail") for word in body.words)
    hips, foot = body.rest[body.parents[legs.root], 1], body.rest[legs.tip, 1]
    return bool(hips - height > 0.6 * (hips - foot))


def limb_roles(body: BodyTree, limbs: Sequence[Limb]) -> Found:
    """Returns the roles of the limbs' joints, left and right."""
    found: Found = {}
    for limb in limbs:
        side, side_sure = _side(body, limb, limbs)
        for part, joint in limb.joints.items():
            sure = _confidence(limb, part) * side_sure * (body.sure[joint] or 0.5)
            other = body.partners[joint]
            found[f"{side}_{limb.kind.prefix}{part}"] = joint, sure
            if other != joint:
                found[f"{SIDES[side == 'left']}_{limb.kind.prefix}{part}"] = other, sure
    return found


def _confidence(limb: Limb, part: str) -> float:
    evidence = min(limb.evidence[part], 1.0)
    return 0.75 + 0.25 * evidence if evidence > 0 else 0.8 * float(np.exp(-max(limb.misfit, 0.0) / 4))


def _side(body: BodyTree, limb: Limb, limbs: Sequence[Limb]) -> tuple[str, float]:
    """Returns the side of the limb at ``root``, from its names or from its position relative to the toes' direction."""
    sides = [body.words[j].side for j in limb.joints.values()]
    if any(sides):
        return max(SIDES, key=sides.count), 1.0
    forward, sure = np.array([0.0, 0.0, 1.0]), 0.4
    if limbs[0].kind is LEG and _stands(body, limbs[0]):
        sure = 0.7
        if "toe" in limbs[0].joints:
            pair = [(j, body.partners[j]) for j in (limbs[0].joints["foot"], limbs[0].joints["toe"])]
            forward = np.sum(
                [body.rest[toe] - body.rest[foot] for foot, toe in zip(*pair, strict=True)], axis=0
            )
            sure = 0.9
    across = body.rest[limb.tip] - body.rest[body.partners[limb.tip]]
    return SIDES[int(forward[2] * across[0] - forward[0] * across[2] < 0)], sure


def middle_roles(body: BodyTree, limbs: Sequence[Limb]) -> Found:
    """Returns the roles of the mid-line: hips (the parent of the legs), spine, chest (that of the arms), neck, head."""
    found: Found = {}

    def add(role: str, joint: int | None, carried: Limb | None = None) -> None:
        if joint is not None:
            sure = 0.9 if carried and carried.named >= _NAMED else 0.6
            found[role] = joint, sure + (1 - sure) * max(body.words[joint].evidence_for(role), 0.0)

    legs = next((limb for limb in limbs if limb.kind is LEG), None)
    arms = next((limb for limb in limbs if limb.kind is not LEG), None)
    hips = _carrier(body, legs, "hips", "spine") if legs else _named(body, "hips", range(len(body.parents)))
    if hips is None:
        return found
    chest = _carrier(body, arms, "spine", "neck") if arms else None
    head = _named(body, "head", range(len(body.parents)))
    if head is None:
        head = _top(body, hips if chest is None else chest, hips)
    add("hips", hips, legs)
    add("head", head)
    trunk = _between(body, hips, chest if head is None else head)
    if chest is None:
        chest = _named(body, "chest", trunk)
    if chest not in trunk:
        add("neck", _named(body, "neck", trunk))
        return found
    add("chest", chest, arms)
    below, above = trunk[: trunk.index(chest)], trunk[trunk.index(chest) + 1 :]
    add("spine", _named(body, "spine", below) or next(iter(below), None))
    add("neck", _named(body, "neck", above) or next((j for j in above if j != head), None))
    return found


def _carrier(body: BodyTree, limb: Limb, role: str, beyond: str) -> int:
    """Returns the mid-line joint that is the parent of the limbs.

    In 3ds Max, thighs are children of the first spine joint and arms of the neck; then it is the parent of that joint.
    """
    joint = body.parents[limb.root]
    parent = body.parents[joint]
    if (
        parent >= 0
        and body.words[joint].evidence_for(beyond) > 0.5
        and body.words[parent].evidence_for(role) > 0.5
    ):
        return parent
    return joint


def _between(body: BodyTree, hips: int, top: int | None) -> list[int]:
    """Returns the joints from the child of the hips to ``top``."""
    to_hips = set(body.path(hips))
    return [] if top is None else [j for j in body.path(top) if j not in to_hips]


def _named(body: BodyTree, role: str, joints: Iterable[int]) -> int | None:
    """Returns the mid-line joint whose name has the strongest evidence for the role; among equals, the first."""
    best = max(joints, key=lambda j: body.words[j].evidence_for(role) * body.in_middle(j), default=None)
    return best if best is not None and body.words[best].evidence_for(role) > 0.3 else None


def _top(body: BodyTree, chest: int, hips: int) -> int | None:
    """Returns the end of the longest mid-line chain from the chest that does not contain the hips."""
    to_hips, away = set(body.path(hips)), {chest: 0.0}
    for j, parent in enumerate(body.parents):
        if parent in away and body.in_middle(j) and j not in to_hips:
            away[j] = away[parent] + float(body.lengths[j])
    del away[chest]
    return max(away, key=away.__getitem__, default=None)
