"""What is wrong with limbs: swapped left and right, held still while the body moves, through the floor. Floor 4."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from moglow.clip import Clip
from moglow.contacts import ContactSpec, Flags, ground_speed, leg_lengths, legs_of, runs, toe_points
from moglow.faults import repeated_frames, turn_steps
from moglow.mirroring import find_mirror
from moglow.rotations import Array
from moglow.skeleton import Skeleton, descendants

UPPER = {"leg": "thigh", "arm": "upper_arm", "fore leg": "front_thigh"}
"""Where a pair of limbs begins: the role of its upper joint."""


@dataclass(frozen=True)
class LimbFault:
    """Joints that are wrong from frame ``start`` up to ``stop``, and by how much: metres for what sinks, else 0."""

    start: int
    stop: int
    joints: tuple[int, ...]
    depth: float = 0.0


def limbs(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """The joints of each limb, by a name such as ``left leg``: the upper one and all that hangs on it."""
    roles = skeleton.anatomy.roles
    uppers = {
        f"{side} {pair}": roles[f"{side}_{upper}"]
        for pair, upper in UPPER.items()
        for side in ("left", "right")
        if f"{side}_{upper}" in roles
    }
    return {name: (joint, *descendants(skeleton, joint)) for name, joint in uppers.items()}


def limb_names(skeleton: Skeleton, joints: Sequence[int]) -> str:
    """The limbs that some joints belong to, in words."""
    return " and ".join(name for name, part in limbs(skeleton).items() if set(part) & set(joints))


def limb_pairs(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """The joints of both sides of each pair of limbs, ``leg`` and ``arm``."""
    parts = limbs(skeleton)
    sides = {pair: [parts.get(f"{side} {pair}") for side in ("left", "right")] for pair in UPPER}
    return {pair: (*left, *right) for pair, (left, right) in sides.items() if left and right}


def exchanged(clip: Clip, joints: Sequence[int], frames: Flags) -> Clip:
    """Gives joints, in some frames ``(T,)``, the mirrored turns of their partners: limbs that were swapped, put back.

    Done to both sides alike it undoes itself; what hangs on the joints is to be among them.
    """
    mirror = find_mirror(clip.skeleton, clip.world()[1], clip.headings())
    rotations, places = clip.rotations.copy(), np.ix_(frames, np.array(joints))
    rotations[places] = mirror.rotations(clip.rotations[frames])[:, joints]
    return replace(clip, rotations=rotations)


SWITCH = 0.1
"""Metres by which joints must jerk less for every change between swapped and not."""


def find_swaps(clip: Clip) -> list[LimbFault]:
    """Stretches in which a pair of limbs moves smoothly only if its left and right are exchanged.

    Of all ways to exchange frames the one is taken along which the limbs accelerate the least (a Viterbi path over
    the states of neighbouring frames), every change at the price of `SWITCH`. What is exchanged for more than half of
    the clip is called sound: nothing else tells left from right.
    """
    found = []
    for joints in limb_pairs(clip.skeleton).values():
        swapped = _smoothest(clip, joints)
        if swapped.mean() > 0.5:
            swapped = ~swapped
        found += [LimbFault(start, stop, joints) for start, stop in runs(swapped)]
    return found


def _smoothest(clip: Clip, joints: tuple[int, ...], price: float = SWITCH) -> Flags:
    """Whether each frame ``(T,)`` is exchanged on the smoothest path."""
    if len(clip) < 3:
        return np.zeros(len(clip), bool)
    roles = set(clip.skeleton.anatomy.roles.values())
    moving = [joint for joint in joints if joint in roles]
    uppers = [joint for joint in moving if clip.skeleton.parents[joint] not in joints]
    root = [
        next(upper for upper in uppers if joint in (upper, *descendants(clip.skeleton, upper)))
        for joint in moving
    ]
    both = (clip, exchanged(clip, joints, np.ones(len(clip), bool)))
    ways = [each.world()[0][:, moving] - each.world()[0][:, root] for each in both]
    jerks = {
        (a, b, c): np.linalg.norm(ways[a][:-2] - 2 * ways[b][1:-1] + ways[c][2:], axis=-1).sum(-1)
        + price * (b != c)
        for a, b, c in product((0, 1), repeat=3)
    }
    cost = {(0, 0): 0.0, (1, 1): 0.0, (0, 1): price, (1, 0): price}
    before: list[dict[tuple[int, int], int]] = []
    for t in range(len(clip) - 2):
        best = {
            (b, c): min((cost[a, b] + float(jerks[a, b, c][t]), a) for a in (0, 1))
            for b, c in product((0, 1), repeat=2)
        }
        cost = {pair: value for pair, (value, _) in best.items()}
        before.append({pair: a for pair, (_, a) in best.items()})
    pair = min(cost, key=lambda each: cost[each])
    path = [pair[1], pair[0]]
    for back in reversed(before):
        path.append(back[path[-1], path[-2]])
    return np.array(path[::-1], bool)


def find_held(
    clip: Clip, *, shortest: float = 0.2, still: float = 1e-6, mostly: float = 0.5
) -> list[LimbFault]:
    """Joints of limbs that keep their turn for ``shortest`` seconds and more while the body moves on.

    Joints that keep it for more than ``mostly`` of the clip are built so: hinges that the capture never turned. Toes
    keep it as long as their foot is flat, and one joint alone may have come to its stop: it is believed to be frozen
    only if it jumps when it is free again.
    """
    steps = turn_steps(clip)
    held = (steps <= still) & ~repeated_frames(clip, still=still)[:, None]
    held[:, held.mean(0) > mostly] = False
    roles = {joint for role, joint in clip.skeleton.anatomy.roles.items() if not role.endswith("toe")}
    least = max(2, round(shortest * clip.fps))
    found: list[LimbFault] = []
    for joints in limbs(clip.skeleton).values():
        stretches: dict[tuple[int, int], list[int]] = {}
        for joint in joints:
            for start, stop in runs(held[:, joint]):
                if joint in roles and stop - start >= least:
                    stretches.setdefault((start + 1, stop + 1), []).append(joint)
        found += [
            LimbFault(start, stop, tuple(those))
            for (start, stop), those in stretches.items()
            if len(those) > 1 or _thaws(steps[:, those[0]], stop - 1)
        ]
    return found


def _thaws(steps: Array, stop: int) -> bool:
    """Whether a joint's step ``(T - 1,)`` out of a stretch is a jump, and not the first of a movement."""
    return stop < len(steps) - 1 and bool(steps[stop] - steps[stop + 1] > np.radians(3))


def find_sunk(clip: Clip, *, depth: float = 0.025, deepest: float = 0.045) -> list[LimbFault]:
    """Toes ``depth`` (of a leg's length) below the height at which they stand, and once ``deepest``, each for itself.

    Soft shoes and sloping floors give 3 cm; an ankle that tips over gives more, and is a fault of the capture.
    """
    below, lengths = standing_heights(clip) - toe_points(clip)[..., 1], leg_lengths(clip.skeleton)
    return [
        LimbFault(start, stop, (leg.hip, leg.knee, leg.ankle), float(below[start:stop, k].max()))
        for k, leg in enumerate(legs_of(clip.skeleton))
        for start, stop in runs(below[:, k] > depth * lengths[k])
        if below[start:stop, k].max() > deepest * lengths[k]
    ]


def standing_heights(clip: Clip) -> Array:
    """The height ``(L,)`` of each toe where it mostly is while it is slow: a foot that sinks for a while moves it not,
    unlike `contacts.toe_floor`. Where a toe is hardly ever slow, that of all toes together."""
    toes, lengths = toe_points(clip), leg_lengths(clip.skeleton)
    slow = ground_speed(toes, clip.fps) / lengths < ContactSpec().slow
    pooled = toes[..., 1][slow] if slow.any() else toes[..., 1].min(1)
    low = toes[..., 1] < np.median(pooled) + ContactSpec().high * lengths
    often = (slow & low).sum(0) > 0.1 * clip.fps
    heights = [
        np.median(toes[(slow & low)[:, k], k, 1]) if often[k] else np.median(pooled)
        for k in range(len(lengths))
    ]
    return np.array(heights)
