"""The response: motions that follow a change after a known time have that time, live and in recordings."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.encodings.encoding import FeatureSpec
from moglow.evaluation.manoeuvres import Manoeuvre
from moglow.evaluation.response import ALL, CHANGES, Response, ResponseSpec, first_difference, first_from
from moglow.maths.rotations import Array, heading_to_quat
from moglow.motion.clip import Clip
from moglow.paths.control_path import ControlPath
from moglow.paths.control_range import ControlRange
from moglow.paths.steering import Steering
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

FPS = 20.0
REACH = ControlRange(forward=4.0, backward=2.0, sideways=1.0, turn=3.0)
SKELETON = skeleton_of(RIGS["biped"])
FRAME = 1 / FPS


def sliding(velocities: Array) -> Clip:
    """Returns a rigid figure whose hips have the velocities ``(T, 3)``."""
    path = ControlPath.from_velocities(velocities, FPS)
    clip = Clip.at_rest(SKELETON, frames=len(path), fps=FPS)
    positions, rotations = clip.positions.copy(), clip.rotations.copy()
    positions[:, 0, [0, 2]] += path.positions
    rotations[:, 0] = heading_to_quat(path.headings)
    return Clip(SKELETON, positions, rotations, FPS)


def ramp(one: Array, other: Array, frames: tuple[int, int, int]) -> Array:
    """Returns velocities that change evenly in the middle frames."""
    before, during, after = frames
    shares = np.concatenate([np.zeros(before), (np.arange(during) + 1) / (during + 1), np.ones(after)])
    velocities: Array = one + shares[:, None] * (other - one)
    return velocities


class Late:
    """Drives a rigid figure that changes its velocity evenly within a second, from a delay in frames on."""

    def __init__(self, delay: int) -> None:
        self.delay = delay

    def __call__(
        self, checkpoint: Checkpoint | None, script: Sequence[Manoeuvre], temperature: float, seed: int
    ) -> Iterator[tuple[Clip, ControlPath]]:
        steering = Steering(REACH, FPS)
        for manoeuvre in script:
            one, other = (
                steering.wanted(*hold.stick, hurry=1.35 if hold.hurry else 1.0) for hold in manoeuvre.holds
            )
            before, after = (round(hold.seconds * FPS) for hold in manoeuvre.holds)
            before, during = before + self.delay, round(FPS) - 1
            velocities = ramp(one, other, (before, during, 60))[: before - self.delay + after]
            yield sliding(velocities), ControlPath.from_velocities(velocities, FPS)


def exam(delay: int, corpus: Corpus | None = None) -> Response:
    return Response(Late(delay), corpus, REACH, FPS, 1, 0.7, spec=ResponseSpec(smoothing=0.01))


def test_known_delays_are_measured() -> None:
    for delay in (0, 4):
        for figures in exam(delay)._live(None, seed=0):  # type: ignore[arg-type]  # the driver needs no model
            assert figures["half"] == pytest.approx(delay * FRAME + 0.5, abs=0.6 * FRAME)
            assert figures["most"] == pytest.approx(delay * FRAME + 0.9, abs=0.6 * FRAME)
            assert figures["reached"] == pytest.approx(1.0, abs=0.02)
            assert (
                delay + 1 <= figures["first"] <= delay + 6
            )  # an even change takes some frames to be visible


def test_recorded_changes_are_found_and_measured_from_their_beginning() -> None:
    clips, labels = [walk(SKELETON, seconds=6.0, fps=FPS, speed=1.0)[0]], [("walk", "", "train")]
    for change in CHANGES:
        one, other = change.velocities(Steering(REACH, FPS))
        for mirror in ([1, 1, 1], [1, -1, -1]):
            clips.append(sliding(ramp(one * mirror, other * mirror, (60, 19, 60))))
            labels.append((f"{change.name} {mirror}", "", "train"))
    encoding = FeatureSpec(encoding="feet_first").fit(clips)
    corpus = Corpus.build(encoding, [encoding.features(clip) for clip in clips], labels, fps=FPS)
    measured = exam(0, corpus)
    found = measured.recorded()
    assert set(found) == {ALL, *(change.name for change in CHANGES)}
    for change in CHANGES:
        assert found[change.name]["half"].value == pytest.approx(0.4, abs=FRAME)  # begun at 10 %
        assert found[change.name]["most"].value == pytest.approx(0.8, abs=FRAME)
    (first, *_) = measured._live(None, seed=0)  # type: ignore[arg-type]
    assert first["half_ratio"] == pytest.approx(0.5 / 0.4, rel=0.15)


def test_a_figure_that_never_moves_has_no_times() -> None:
    still = Clip.at_rest(SKELETON, frames=120, fps=FPS)
    measured = exam(0)
    half, most, reached = measured._times(
        still, 60, np.repeat([[0.0, 0, 0], [1, 0, 0]], 60, axis=0), CHANGES[0]
    )
    assert np.isnan([half, most]).all() and reached == 0.0
    assert np.isnan(first_difference(still, still, 0.005))


def test_a_level_is_crossed_between_frames() -> None:
    assert first_from(np.array([0.0, 1.0, 0.0, 1.0]), 0.25, 2) == 2.25
    assert np.isnan(first_from(np.zeros(5), 0.5, 0))
