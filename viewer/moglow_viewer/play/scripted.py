"""A figure driven by a script of hands instead of a person's: what `moglow evaluate` measures of live motion."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.evaluation.manoeuvres import Hold, Manoeuvre
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow_viewer.play.gamepad import Stick
from moglow_viewer.play.live import Hands, Walker, path_of


def driven(
    checkpoint: Checkpoint, manoeuvres: Sequence[Manoeuvre], temperature: float, seed: int
) -> Iterator[tuple[Clip, ControlPath]]:
    """Yields the motion of each manoeuvre, walked as in the window, and the path that was steered.

    All begin from the same stand; the noise afterwards is another one for each.
    """
    walker, context = (
        Walker.of(checkpoint, temperature=temperature, style=None, seed=seed),
        checkpoint.context,
    )
    stand = walker.begin()
    for number, manoeuvre in enumerate(manoeuvres):
        live, places, poses = replace(stand, take=number), [], []
        for hold in manoeuvre.holds:
            hands = hands_of(hold)
            for _ in range(round(hold.seconds * walker.fps)):
                live = walker.step(live, hands)
                places.append(live.place)
                poses.append(np.asarray(live.past.poses[0, -1], float))
        path = path_of(places, walker.fps, [None] * len(places))
        yield context.encoding.decode(context.physical_pose(np.array(poses)), path, manoeuvre.name), path


def hands_of(hold: Hold) -> Hands:
    """The hands that hold what a script asks for, as a gamepad's sticks do."""
    return Hands(hurry=hold.hurry, pad=Stick(*hold.stick))
