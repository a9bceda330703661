"""Left and right limbs exchanged for some frames."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Self

import numpy as np

from moglow.cleaning.damage import Damage, Fill
from moglow.cleaning.limbs import LimbFault, limb_names, limb_pairs
from moglow.maths.signals import Flags, runs
from moglow.motion.clip import Clip
from moglow.motion.mirror import find_mirror
from moglow.motion.skeleton import descendants


def exchanged(clip: Clip, joints: Sequence[int], frames: Flags) -> Clip:
    """Returns the clip with the joints' rotations in flagged frames ``(T,)`` replaced by the mirrored ones of partners.

    ``joints`` must contain their partners and descendants; then a second call restores the clip.
    """
    mirror = find_mirror(clip.skeleton, clip.world()[1], clip.headings())
    rotations, places = clip.rotations.copy(), np.ix_(frames, np.array(joints))
    rotations[places] = mirror.rotations(clip.rotations[frames])[:, joints]
    return replace(clip, rotations=rotations)


SWITCH = 0.1
"""Cost in metres of third differences of a change between swapped and not swapped."""


def find_swaps(clip: Clip) -> list[LimbFault]:
    """Returns stretches in which a pair of limbs moves smoothly only if left and right are exchanged.

    A Viterbi path over the states of adjacent frames minimises the limbs' jerk plus `SWITCH` for each change. The state
    of more than half of the clip is taken as sound.
    """
    found = []
    for joints in limb_pairs(clip.skeleton).values():
        swapped = _smoothest(clip, joints)
        if swapped.mean() > 0.5:
            swapped = ~swapped
        found += [LimbFault(start, stop, joints) for start, stop in runs(swapped)]
    return found


def _smoothest(clip: Clip, joints: tuple[int, ...], price: float = SWITCH) -> Flags:
    """Returns whether each frame ``(T,)`` is exchanged on the smoothest path."""
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


class Swapped(Damage):
    kind, remedy = "swap", "left and right exchanged back"

    @classmethod
    def find(cls, clip: Clip) -> list[Self]:
        found = [(fault, limb_names(clip.skeleton, fault.joints)) for fault in find_swaps(clip)]
        return [cls(fault.start, fault.stop, fault.joints, f"{names} are swapped") for fault, names in found]

    def mended(self, clip: Clip, fill: Fill) -> Clip:
        frames = np.zeros(len(clip), bool)
        frames[self.start : self.stop] = True
        return exchanged(clip, self.joints, frames)
