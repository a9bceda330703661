"""Faults put into sound motion at known places: what detectors and repairs are measured with.

`inject(clip, kind, generator=…)` gives the injured clip, which of its frames and joints are bad, and the sound clip.
Everything else about the clip stays as it was, to the last bit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moglow.cleaning.limbs import limb_pairs, limbs
from moglow.cleaning.swap import exchanged
from moglow.errors import ClipError
from moglow.maths.rotations import axis_angle_to_quat, quat_angle, quat_continuous, quat_multiply
from moglow.maths.signals import Flags, runs, sample_cubic, sample_turns, widened
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, leg_lengths, legs_of, toe_floor, toe_points
from moglow.motion.foot_lock import LockSpec, carried, carrying_joint, move_feet

MARGIN = 0.25
"""Seconds at both ends that stay sound."""
SHORTEST = 1.0
"""Seconds of the shortest clip that can be injured."""


@dataclass(frozen=True, eq=False)
class Injured:
    """A clip with a fault: the bad ``frames`` ``(T,)`` of it, the bad ``joints``, and the ``sound`` clip that it was.

    A fault of the rate leaves fewer or more frames than the sound clip has; all others leave as many.
    """

    kind: str
    clip: Clip
    frames: Flags
    joints: tuple[int, ...]
    sound: Clip


Injury = Callable[[Clip, np.random.Generator], tuple[Clip, Flags, Sequence[int]]]


def inject(clip: Clip, kind: str, *, generator: np.random.Generator) -> Injured:
    """Puts one fault of a kind (a key of `KINDS`) at a place and of a size that the generator chooses."""
    if clip.duration < SHORTEST:
        raise ClipError(f"{clip.name or 'clip'}: {clip.duration:.2f} s long; give at least {SHORTEST} s")
    injured, frames, joints = KINDS[kind](clip, generator)
    return Injured(kind, injured, frames, tuple(int(joint) for joint in joints), clip)


def spike(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """A joint turns 60° to 170° away for one to three frames."""
    roles = clip.skeleton.anatomy.roles
    joint = int(generator.choice([joint for role, joint in roles.items() if role != "hips"]))
    frames = _stretch(clip, int(generator.integers(1, 4)), generator)
    axis = generator.normal(size=3)
    turn = axis_angle_to_quat(axis / np.linalg.norm(axis), np.radians(generator.uniform(60, 170)))
    rotations = clip.rotations.copy()
    rotations[frames, joint] = quat_multiply(rotations[frames, joint], turn)
    return replace(clip, rotations=rotations), frames, [joint]


def swap(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """Both arms, or both legs, exchange their data for 0.2 to 1 s."""
    pairs = list(limb_pairs(clip.skeleton).values())
    frames = _stretch(clip, _frames(clip, 0.2, 1.0, generator), generator)
    joints = pairs[int(generator.integers(len(pairs)))]
    return exchanged(clip, joints, frames), frames, joints


def frozen(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """A limb, or the outer part of one, keeps its joints for 0.3 to 1 s while the body moves on.

    Of some places the one is taken where the limb would have moved the most: a still one cannot be told from it.
    """
    parts = list(limbs(clip.skeleton).values())
    places = []
    for _ in range(8):
        part = parts[int(generator.integers(len(parts)))]
        joints = part[int(generator.integers(min(2, len(part)))) :]
        frames = _stretch(clip, _frames(clip, 0.3, 1.0, generator), generator)
        held = np.flatnonzero(frames)[0] - 1
        away = quat_angle(clip.rotations[frames][:, joints], clip.rotations[held, joints]).mean()
        places.append((float(away), joints, frames, held))
    _, joints, frames, held = max(places, key=lambda place: place[0])
    rotations = clip.rotations.copy()
    rotations[np.ix_(frames, np.array(joints))] = rotations[held, joints]
    return replace(clip, rotations=rotations), frames, joints


def lost(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """The whole figure stands frozen for 0.3 to 1 s and then is where it would have been."""
    frames = _stretch(clip, _frames(clip, 0.3, 1.0, generator), generator)
    held = np.flatnonzero(frames)[0] - 1
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[frames], rotations[frames] = positions[held], rotations[held]
    return replace(clip, positions=positions, rotations=rotations), frames, range(len(clip.skeleton))


def floor(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """A foot sinks 4 to 12 cm (on legs of 0.85 m) into the floor for as long as it stands, or for 0.2 to 0.5 s of it.

    The leg follows, and the hips with it where it would not reach.
    """
    planted, toes = contacts(clip), toe_points(clip)
    margin, least = _margin(clip), max(2, round(0.15 * clip.fps))
    stands = [
        (leg, max(start, margin), min(stop, len(clip) - margin))
        for leg in range(planted.shape[1])
        for start, stop in runs(planted[:, leg])
        if min(stop, len(clip) - margin) - max(start, margin) >= least
    ]
    if not stands:
        raise ClipError(f"{clip.name or 'clip'}: no foot stands long enough to be pushed through the floor")
    leg, start, stop = stands[int(generator.integers(len(stands)))]
    length = min(stop - start, _frames(clip, 0.2, 0.5, generator))
    start += int(generator.integers(stop - start - length + 1))
    frames = np.zeros(len(clip), bool)
    frames[start : start + length] = True
    lengths = leg_lengths(clip.skeleton)
    depth = generator.uniform(0.04, 0.12) * lengths[leg] / 0.85
    shifts = np.zeros_like(toes)
    shifts[frames, leg, 1] = toe_floor(toes)[leg] - depth - toes[frames, leg, 1]
    pushed = move_feet(clip, shifts, spec=LockSpec(blend=1e-3, deepest=0.2, straight=0.999))
    near = widened(frames, 1)  # the hips come down a frame early
    foot = legs_of(clip.skeleton)[leg]
    joints = [carrying_joint(clip.skeleton), foot.hip, foot.knee, foot.ankle]
    kept = np.where(near[:, None, None], pushed.rotations, clip.rotations)
    return (
        replace(
            pushed, rotations=kept, positions=np.where(near[:, None, None], pushed.positions, clip.positions)
        ),
        near,
        joints,
    )


def teleport(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """The body is 0.3 to 1.5 m away for 0.1 to 1 s, and comes back."""
    frames = _stretch(clip, _frames(clip, 0.1, 1.0, generator), generator)
    return _displaced(clip, frames, generator), frames, [carrying_joint(clip.skeleton)]


def leap(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """The body jumps 0.3 to 1.5 m and stays there: all frames from then on are bad."""
    frames = np.arange(len(clip)) >= np.flatnonzero(_stretch(clip, 1, generator))[0]
    return _displaced(clip, frames, generator), frames, [carrying_joint(clip.skeleton)]


def rate(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """A stretch of 0.25 to 0.8 s runs two or three times too fast or too slow; the clip gets shorter or longer."""
    factor = float(generator.choice([1 / 3, 1 / 2, 2, 3]))
    length = _frames(clip, 0.25, 0.8, generator)
    room = (len(clip) - 2 * _margin(clip) - 1) / factor
    unit = max(1, round(1 / factor))  # so that it ends on a frame
    length = max(2, int(min(length, room)) // unit) * unit
    whole = round(length * factor)
    start = int(generator.integers(_margin(clip), len(clip) - _margin(clip) - whole))
    inside = start + factor * np.arange(1, length + 1)
    at = np.concatenate([np.arange(start + 1), inside, np.arange(start + whole + 1, len(clip))])
    frames = np.zeros(len(at), bool)
    frames[start + 1 : start + 1 + length] = True
    positions = sample_cubic(clip.positions, at)
    rotations = sample_turns(quat_continuous(clip.rotations), at)
    exact = at == np.round(at)
    positions[exact], rotations[exact] = (
        part[at[exact].astype(int)] for part in (clip.positions, clip.rotations)
    )
    return replace(clip, positions=positions, rotations=rotations), frames, range(len(clip.skeleton))


def fps(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """The whole clip says a rate that is three or four times too high or too low."""
    factor = float(generator.choice([1 / 4, 1 / 3, 3, 4]))
    return replace(clip, fps=clip.fps * factor), np.ones(len(clip), bool), range(len(clip.skeleton))


KINDS: Mapping[str, Injury] = {
    "spike": spike,
    "swap": swap,
    "frozen": frozen,
    "lost": lost,
    "floor": floor,
    "teleport": teleport,
    "leap": leap,
    "rate": rate,
    "fps": fps,
}


def _displaced(clip: Clip, frames: Flags, generator: np.random.Generator) -> Clip:
    angle, way = generator.uniform(0, 2 * np.pi), generator.uniform(0.3, 1.5)
    offset = way * np.array([np.sin(angle), 0.0, np.cos(angle)])
    moved = carried(clip, frames[:, None] * offset)
    return replace(moved, positions=np.where(frames[:, None, None], moved.positions, clip.positions))


def _margin(clip: Clip) -> int:
    return max(2, round(MARGIN * clip.fps))


def _frames(clip: Clip, shortest: float, longest: float, generator: np.random.Generator) -> int:
    """A number of frames between two times, in a short clip at most half of what is between its margins."""
    length = round(generator.uniform(shortest, longest) * clip.fps)
    return max(2, min(length, (len(clip) - 2 * _margin(clip)) // 2))


def _stretch(clip: Clip, length: int, generator: np.random.Generator) -> Flags:
    """So many frames in a row, where the clip's margins are not."""
    start = int(generator.integers(_margin(clip), len(clip) - _margin(clip) - length + 1))
    frames = np.zeros(len(clip), bool)
    frames[start : start + length] = True
    return frames
