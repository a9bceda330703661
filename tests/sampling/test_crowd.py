"""A crowd's figures move as each does alone, to the bit; a state is a value; bad controls are one clear line."""

import numpy as np
import pytest

from moglow.errors import ControlError
from moglow.paths.control_path import ControlPath
from moglow.sampling.crowd import Crowd, CrowdFrame
from moglow.sampling.sampler import Sampler
from tests.sampling.test_sampler import make_checkpoint

LOOKAHEAD, FIGURES, FRAMES = 2, 5, 70
"""More frames than noise is sampled for at once."""


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd.of(FIGURES, checkpoint=make_checkpoint(LOOKAHEAD, carry={}), seed=3)


def controls() -> np.ndarray:
    """Velocities (frames, figures, 3) that change in every frame."""
    phase = np.arange(FRAMES)[:, None] / 9 + np.arange(FIGURES)
    return np.stack([1 + 0.3 * np.sin(phase), 0.1 * np.cos(phase), 0.5 * np.sin(phase)], axis=-1)


def stepped(crowd: Crowd, velocities: np.ndarray, places: np.ndarray) -> list[CrowdFrame]:
    state, frames = crowd.start(places, velocities[0]), []
    for row in velocities:
        state, frame = crowd.step(state, row)
        frames.append(frame)
    return frames


def test_each_figure_moves_as_it_does_alone(crowd: Crowd) -> None:
    velocities, places = controls(), np.random.default_rng(0).normal(size=(FIGURES, 3))
    frames = stepped(crowd, velocities, places)
    sampler = Sampler.of(make_checkpoint(LOOKAHEAD, carry={}), temperature=crowd.sampler.temperature)
    for k in (0, FIGURES - 1):
        own = np.concatenate([velocities[:1, k]] * LOOKAHEAD + [velocities[:, k]])
        path = ControlPath.from_velocities(own[:FRAMES].astype(np.float32), sampler.fps, start=places[k])
        poses = np.stack(list(sampler.stream(own, seed=3 + k)))[:FRAMES]
        at = np.stack([frame.places[k] for frame in frames])
        assert np.allclose(at[:, :2], path.positions, atol=1e-9)
        assert np.allclose(at[:, 2], path.headings, atol=1e-9)
        expected = sampler.context.encoding.decode_frames(poses, at[:, :2], at[:, 2])
        for made, wanted in zip(("positions", "rotations"), expected, strict=True):
            assert np.allclose(np.stack([getattr(frame, made)[k] for frame in frames]), wanted, atol=1e-12)


def test_a_style_that_changes_is_taken_up_as_in_a_stream(crowd: Crowd) -> None:
    context = crowd.sampler.context
    first, second, change = context.styles[0], context.styles[-1], 30
    assert first != second
    velocity = np.array([1.0, 0.0, 0.2])
    state, frames = crowd.start(styles=first), []
    for t in range(FRAMES):
        if t == change:  # of the last figure alone
            state = crowd.restyled(state, [first] * (FIGURES - 1) + [second])
        state, frame = crowd.step(state, velocity)
        frames.append(frame)
    sampler = Sampler.of(make_checkpoint(LOOKAHEAD, carry={}), temperature=crowd.sampler.temperature)
    own = np.concatenate([np.zeros((LOOKAHEAD, 3)), np.tile(velocity, (FRAMES, 1))])
    for k, later in ((0, first), (FIGURES - 1, second)):
        styles = [first] * change + [later] * (len(own) - change)
        poses = np.stack(list(sampler.stream(own, seed=3 + k, styles=styles)))[:FRAMES]
        at = np.stack([frame.places[k] for frame in frames])
        _, rotations = context.encoding.decode_frames(poses, at[:, :2], at[:, 2])
        assert np.allclose(np.stack([frame.rotations[k] for frame in frames]), rotations, atol=1e-12)


def test_figures_do_not_move_in_lockstep(crowd: Crowd) -> None:
    frames = stepped(crowd, np.tile([1.0, 0.0, 0.0], (20, FIGURES, 1)), np.zeros((FIGURES, 3)))
    assert np.ptp(frames[-1].rotations, axis=0).max() > 0.01


def test_a_state_is_a_value(crowd: Crowd) -> None:
    state = crowd.start()
    for _ in range(3):
        state, _ = crowd.step(state, [1.0, 0.0, 0.0])
    first, other, again = (crowd.step(state, [speed, 0.0, 0.0]) for speed in (1.0, 3.0, 1.0))
    assert np.array_equal(first[1].rotations, again[1].rotations)
    for _ in range(LOOKAHEAD + 1):
        first, other = (crowd.step(each[0], [v, 0.0, 0.0]) for each, v in ((first, 1.0), (other, 3.0)))
    assert not np.array_equal(first[1].places, other[1].places)


def test_large_crowds_are_stepped_in_parts(crowd: Crowd) -> None:
    most = crowd.sampler.model.rows[1]
    many = Crowd.of(most + 3, checkpoint=make_checkpoint(LOOKAHEAD, carry={}), seed=3)
    few, all_of_them = crowd.start(), many.start()
    for _ in range(3):
        few, frame = crowd.step(few, [1.0, 0.0, 0.2])
        all_of_them, whole = many.step(all_of_them, [1.0, 0.0, 0.2])
    assert np.array_equal(whole.rotations[:FIGURES], frame.rotations)
    assert whole.world()[0].shape == (most + 3, *frame.positions.shape[1:])


@pytest.mark.parametrize(
    ("velocities", "says"),
    [([1.0, 0.0], r"\(2,\)"), (np.zeros((2, 3)), r"\(5, 3\)"), ([np.nan, 0, 0], "finite")],
)
def test_bad_controls_are_refused(crowd: Crowd, velocities: object, says: str) -> None:
    with pytest.raises(ControlError, match=says):
        crowd.step(crowd.start(), velocities)  # type: ignore[arg-type]


def test_bad_crowds_are_refused(crowd: Crowd) -> None:
    with pytest.raises(ControlError, match="0 figures"):
        Crowd.of(0, checkpoint=make_checkpoint())
    with pytest.raises(ControlError, match="2 styles for 5 figures"):
        crowd.start(styles=[None, None])
    with pytest.raises(ControlError, match="no style is called 'flying'"):
        crowd.restyled(crowd.start(), "flying")
