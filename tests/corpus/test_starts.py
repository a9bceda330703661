"""Repeated starts and stops: the figure moves as recorded along a path that stands and goes straight, also faster."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from moglow.corpus.corpus import Corpus
from moglow.corpus.starts import StartSpec, drawn_path, faster, starts, with_starts
from moglow.encodings.encoding import Encoding, Features, FeatureSpec
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

FPS, STAND = 20.0, 40
SPEC = StartSpec(speeds=(1.0, 1.5), copies=2)


@cache
def setting_off() -> Clip:
    """Returns a clip that stands for two seconds with a foot beside the other, and then walks at 0.8 m/s."""
    clip, _ = walk(skeleton_of(RIGS["biped"]), seconds=6.0, fps=FPS, speed=0.8)
    toes = toe_points(clip)[:20, :, 2]
    clip = clip[int(np.ptp(toes, axis=-1).argmin()) :][:100]
    frames = np.concatenate([np.zeros(STAND, int), np.arange(len(clip))])
    return replace(clip, positions=clip.positions[frames], rotations=clip.rotations[frames])


@cache
def corpus() -> Corpus:
    clip = setting_off()
    encoding = FeatureSpec(encoding="feet_first", smoothing=0.1).fit([clip])
    features = [encoding.features(each) for each in (clip, clip[STAND + 10 :], clip)]
    labels = [("start", "calm", "train"), ("walk", "calm", "train"), ("unseen", "calm", "val")]
    return Corpus.build(encoding, features, labels, fps=FPS)


def encoding() -> Encoding:
    return corpus().encoding


def test_a_start_is_found_where_the_figure_sets_off() -> None:
    first, walking, _ = corpus().stretches
    (frame,) = starts(corpus().control[first.frames].astype(float), FPS)
    assert abs(frame - STAND) <= 3
    assert starts(corpus().control[walking.frames].astype(float), FPS) == []


def test_a_drawn_path_stands_and_then_follows_the_recorded_one() -> None:
    clip = setting_off()
    path = ControlPath.from_clip(clip, 0.1)
    swaying = path.positions + 0.02 * np.sin(0.3 * np.arange(len(path)))[:, None] * [1.0, 0.0]
    path = replace(path, positions=swaying)
    (frame,) = starts(path.velocities(), FPS)
    drawn = drawn_path(path, path.positions, frame, 0.1)
    assert np.abs(drawn.velocities()[: frame - 10]).max() == 0
    sway, swayed = (np.abs(each.velocities()[frame + 30 : -15, 1]).max() for each in (drawn, path))
    assert sway < 0.25 * swayed
    assert np.linalg.norm(drawn.positions - path.positions, axis=-1)[frame + 30 :].max() < 0.1
    np.testing.assert_allclose(drawn.velocities()[frame + 20 : -10, 0], 0.8, atol=0.1)


def test_the_figure_moves_as_recorded_along_a_drawn_path() -> None:
    first = corpus().stretches[0]
    added = with_starts(corpus(), StartSpec(speeds=(1.0,))).stretches[-1]
    assert (added.name, added.style, added.split, added.again) == ("start", "calm", "train", True)
    path, clip = corpus().path(first), setting_off()
    drawn = drawn_path(path, path.positions, starts(path.velocities(), FPS)[0], 0.2)
    decoded = encoding().decode(encoding().encode(clip, drawn), drawn)
    np.testing.assert_allclose(decoded.positions, clip.positions, atol=1e-3)


def test_each_start_is_repeated_at_each_speed() -> None:
    more = with_starts(corpus(), SPEC)
    added = more.stretches[len(corpus().stretches) :]
    assert len(added) == 4 and {each.name for each in added} == {"start"}
    assert more.stretches[: len(corpus().stretches)] == corpus().stretches
    np.testing.assert_array_equal(more.pose[: len(corpus().pose)], corpus().pose)
    assert more.pose_normalizer is corpus().pose_normalizer
    np.testing.assert_array_equal(with_starts(corpus(), SPEC).pose, more.pose)
    pace = [np.median(more.control[each.frames][-20:, 0]) for each in added]
    np.testing.assert_allclose(pace, [0.8, 1.2, 0.8, 1.2], rtol=0.1)
    assert all(np.abs(more.control[each.frames][:5]).max() < 0.05 for each in added)


def test_starts_from_staggered_stands_are_left_out() -> None:
    first = corpus().stretches[0]
    pose = np.array(corpus().pose)
    pose[first.frames, encoding().slice("toe_z").start] += 0.2
    assert with_starts(replace(corpus(), pose=pose), SPEC).stretches == corpus().stretches


def test_a_stop_is_repeated_along_a_path_that_stops() -> None:
    first = corpus().stretches[0]
    recorded = Features(corpus().pose[first.frames], corpus().control[first.frames]).reversed()
    pose, control = np.array(corpus().pose), np.array(corpus().control)
    pose[first.frames], control[first.frames] = recorded.pose, recorded.control
    stopping = replace(corpus(), pose=pose, control=control)
    assert with_starts(stopping, SPEC).stretches == corpus().stretches
    more = with_starts(stopping, StartSpec(stops=(1.0, 1.5), copies=2))
    added = more.stretches[len(corpus().stretches) :]
    assert len(added) == 4 and {each.split for each in added} == {"train"}
    for each in added:
        assert np.abs(more.control[each.frames][-3:]).max() < 0.05
    pace = [np.median(more.control[each.frames][:20, 0]) for each in added]
    np.testing.assert_allclose(pace, [-0.8, -1.2, -0.8, -1.2], rtol=0.1)
    with pytest.raises(ValueError, match="short is 2; a share lies between 0 and 1"):
        StartSpec(short=2)


def test_repetitions_are_not_faster_than_the_limit() -> None:
    added = with_starts(corpus(), replace(SPEC, fastest=1.0)).stretches[len(corpus().stretches) :]
    assert len(added) == 2
    assert with_starts(corpus(), StartSpec()) is corpus()


def test_faster_features_pass_through_the_same_poses() -> None:
    ramp = np.arange(12.0)[:, None]
    made = faster(Features(ramp, 0 * ramp + 1.0), 2.0)
    np.testing.assert_allclose(made.pose[:, 0], [0, 2, 4, 6, 8, 10])
    np.testing.assert_allclose(made.control, 2.0)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"speeds": (0.0,)}, "speeds is \\[0.0\\]; give factors from 0.1 to 10"),
        ({"stops": (1.0, 11.0)}, "stops is \\[1.0, 11.0\\]; give factors from 0.1 to 10"),
        ({"copies": 0}, "copies is 0; give 1 to 100"),
        ({"most": 0}, "most is 0; give at least 1"),
        ({"after": 0.0}, "give at most 60 seconds"),
    ],
)
def test_settings_out_of_range_are_errors(settings: dict[str, object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        StartSpec(**settings)  # type: ignore[arg-type]
