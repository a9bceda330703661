"""A figure steered by a script, with which `moglow evaluate` measures live motion."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.evaluation.manoeuvres import Hold, Manoeuvre
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow_viewer.play.gamepad import Stick
from moglow_viewer.play.live import Hands, Walker, path_of
from moglow_viewer.play.twisting import twisted


def driven(
    checkpoint: Checkpoint, manoeuvres: Sequence[Manoeuvre], temperature: float, seed: int
) -> Iterator[tuple[Clip, ControlPath]]:
    """Yields the motion of each manoeuvre, computed as in the window, and the steered path.

    All begin in the same standing state and continue with different noise.
    """
    walker, context = (
        Walker.of(checkpoint, temperature=temperature, style=None, seed=seed),
        checkpoint.context,
    )
    stand = walker.begin()
    for number, manoeuvre in enumerate(manoeuvres):
        live, places, poses, twists = replace(stand, take=number), [], [], []
        for hold in manoeuvre.holds:
            hands = hands_of(hold)
            for _ in range(round(hold.seconds * walker.fps)):
                live = walker.step(live, hands)
                places.append(live.place)
                poses.append(np.asarray(live.past.poses[0, -1], float))
                twists.append(walker.steering.twisting(live.moving))
        path = path_of(places, walker.fps, [None] * len(places))
        clip = context.encoding.decode(context.physical_pose(np.array(poses)), path, manoeuvre.name)
        yield replace(clip, rotations=twisted(clip.rotations, clip.skeleton, np.array(twists))), path


def hands_of(hold: Hold) -> Hands:
    """Returns the hands of a hold, as of a gamepad's sticks."""
    return Hands(hurry=hold.hurry, pad=Stick(*hold.stick))
