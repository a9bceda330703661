"""Damage made in sound motion at known frames, to measure detection and repair.

`inject(clip, kind, generator=…)` returns the damaged clip, its bad frames and joints, and the sound clip. All other
values of the clip stay bit for bit the same.
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
"""Seconds at each end that stay sound."""
SHORTEST = 1.0
"""Seconds of the shortest clip that can be damaged."""


@dataclass(frozen=True, eq=False)
class DamagedClip:
    """A damaged clip, flags ``(T,)`` of its bad ``frames``, its bad ``joints``, and the ``sound`` clip.

    Damage of kind "rate" changes the number of frames; no other kind does.
    """

    kind: str
    clip: Clip
    frames: Flags
    joints: tuple[int, ...]
    sound: Clip


Injection = Callable[[Clip, np.random.Generator], tuple[Clip, Flags, Sequence[int]]]
"""Returns a damaged clip, flags of its bad frames, and its bad joints."""


def inject(clip: Clip, kind: str, *, generator: np.random.Generator) -> DamagedClip:
    """Returns a clip damaged once, by a kind of `KINDS`; the generator samples the place and the size."""
    if clip.duration < SHORTEST:
        raise ClipError(f"{clip.name or 'clip'}: {clip.duration:.2f} s long; give at least {SHORTEST} s")
    damaged, frames, joints = KINDS[kind](clip, generator)
    return DamagedClip(kind, damaged, frames, tuple(int(joint) for joint in joints), clip)


def spike(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """Turns a joint away by 60° to 170° for one to three frames."""
    roles = clip.skeleton.anatomy.roles
    joint = int(generator.choice([joint for role, joint in roles.items() if role != "hips"]))
    frames = _stretch(clip, int(generator.integers(1, 4)), generator)
    axis = generator.normal(size=3)
    turn = axis_angle_to_quat(axis / np.linalg.norm(axis), np.radians(generator.uniform(60, 170)))
    rotations = clip.rotations.copy()
    rotations[frames, joint] = quat_multiply(rotations[frames, joint], turn)
    return replace(clip, rotations=rotations), frames, [joint]


def swap(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """Exchanges the rotations of both arms, or of both legs, for 0.2 to 1 s."""
    pairs = list(limb_pairs(clip.skeleton).values())
    frames = _stretch(clip, _frames(clip, 0.2, 1.0, generator), generator)
    joints = pairs[int(generator.integers(len(pairs)))]
    return exchanged(clip, joints, frames), frames, joints


def frozen(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """Holds the joints of a limb, or of its outer part, for 0.3 to 1 s while the body moves on.

    Of eight sampled places the one is used in which the limb would have moved most, since nothing shows where a limb is
    held that was still anyway.
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
    """Holds the whole figure for 0.3 to 1 s; afterwards it is where it would have been."""
    frames = _stretch(clip, _frames(clip, 0.3, 1.0, generator), generator)
    held = np.flatnonzero(frames)[0] - 1
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[frames], rotations[frames] = positions[held], rotations[held]
    return replace(clip, positions=positions, rotations=rotations), frames, range(len(clip.skeleton))


def floor(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """Lowers a planted foot 4 to 12 cm (for legs of 0.85 m) below the floor, for 0.2 to 0.5 s or its whole contact.

    The leg follows, and so do the hips where the leg is too short.
    """
    planted, toes = contacts(clip), toe_points(clip)
    margin, least = _margin(clip), max(2, round(0.15 * clip.fps))
    stances = [
        (leg, max(start, margin), min(stop, len(clip) - margin))
        for leg in range(planted.shape[1])
        for start, stop in runs(planted[:, leg])
        if min(stop, len(clip) - margin) - max(start, margin) >= least
    ]
    if not stances:
        raise ClipError(f"{clip.name or 'clip'}: no foot is on the floor long enough to be pushed below it")
    leg, start, stop = stances[int(generator.integers(len(stances)))]
    length = min(stop - start, _frames(clip, 0.2, 0.5, generator))
    start += int(generator.integers(stop - start - length + 1))
    frames = np.zeros(len(clip), bool)
    frames[start : start + length] = True
    lengths = leg_lengths(clip.skeleton)
    depth = generator.uniform(0.04, 0.12) * lengths[leg] / 0.85
    shifts = np.zeros_like(toes)
    shifts[frames, leg, 1] = toe_floor(toes)[leg] - depth - toes[frames, leg, 1]
    pushed = move_feet(clip, shifts, spec=LockSpec(blend=1e-3, deepest=0.2, straight=0.999))
    near = widened(frames, 1)  # the hips are lowered one frame earlier
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
    """Displaces the body by 0.3 to 1.5 m for 0.1 to 1 s."""
    frames = _stretch(clip, _frames(clip, 0.1, 1.0, generator), generator)
    return _displaced(clip, frames, generator), frames, [carrying_joint(clip.skeleton)]


def leap(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """Displaces the body by 0.3 to 1.5 m from a frame on; all frames from there on are bad."""
    frames = np.arange(len(clip)) >= np.flatnonzero(_stretch(clip, 1, generator))[0]
    return _displaced(clip, frames, generator), frames, [carrying_joint(clip.skeleton)]


def rate(clip: Clip, generator: np.random.Generator) -> tuple[Clip, Flags, Sequence[int]]:
    """Plays 0.25 to 0.8 s two or three times too fast or too slow; the clip gets shorter or longer."""
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
    """States a frame rate that is three or four times too high or too low."""
    factor = float(generator.choice([1 / 4, 1 / 3, 3, 4]))
    return replace(clip, fps=clip.fps * factor), np.ones(len(clip), bool), range(len(clip.skeleton))


KINDS: Mapping[str, Injection] = {
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
    """Returns a number of frames between two durations; in a short clip at most half of those between its margins."""
    length = round(generator.uniform(shortest, longest) * clip.fps)
    return max(2, min(length, (len(clip) - 2 * _margin(clip)) // 2))


def _stretch(clip: Clip, length: int, generator: np.random.Generator) -> Flags:
    """Returns flags ``(T,)`` of ``length`` successive frames that are outside the clip's margins."""
    start = int(generator.integers(_margin(clip), len(clip) - _margin(clip) - length + 1))
    frames = np.zeros(len(clip), bool)
    frames[start : start + length] = True
    return frames
