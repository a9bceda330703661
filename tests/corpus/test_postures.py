"""The axes of postures: those along which recorded postures differ, and no others."""

from dataclasses import replace

import numpy as np
import pytest

from moglow.corpus.context import Context
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.corpus import Corpus
from moglow.corpus.postures import AXES, posture_axes
from moglow.encodings.encoding import FeatureSpec
from tests.support.tiny import tiny_context, tiny_corpus

SPEC = ContextSpec(history=3, lookahead=2, flags=True)


def held(tilts: list[float], *, performers: tuple[str, ...] = ("",)) -> Corpus:
    """Returns clips in one style, in each of which a joint is tilted; toes are moved, too."""
    corpus = tiny_corpus()
    source = corpus.split("train")[0]
    poses, stretches = [], []
    channel, toe = corpus.encoding.slice("joints").start, corpus.encoding.slice("toe_x").start
    for number, tilt in enumerate(tilts):
        pose = np.array(corpus.pose[source.frames])
        pose[:, [channel, toe]] += tilt
        start = number * len(pose)
        performer = performers[number % len(performers)]
        stretches.append(
            replace(source, style="calm", start=start, stop=start + len(pose), performer=performer)
        )
        poses.append(pose)
    control = np.tile(corpus.control[source.frames], (len(tilts), 1))
    return replace(corpus, pose=np.concatenate(poses), control=control, stretches=tuple(stretches))


def test_an_axis_is_how_recorded_postures_differ() -> None:
    tilts = np.random.default_rng(1).normal(scale=0.2, size=40)
    corpus, context = held(tilts.tolist()), tiny_context()
    axes = posture_axes(corpus, ("calm", "brisk"), context.standardize_pose) * context.pose_deviation
    channel = corpus.encoding.slice("joints").start
    assert axes.shape == (2, AXES, len(corpus.encoding))
    assert abs(axes[0, 0, channel]) == pytest.approx(tilts.std(), rel=0.02)
    others = np.delete(axes[0], channel, axis=1)
    assert np.abs(others).max() < 1e-3  # no toes
    assert not axes[1].any()  # a style that was not recorded


def test_a_difference_between_performers_is_none_within_a_style() -> None:
    tilts = [0.3, -0.3] * 20
    context = tiny_context()
    same = posture_axes(held(tilts, performers=("ann", "bob")), ("calm",), context.standardize_pose)
    assert np.abs(same * context.pose_deviation).max() < 1e-3


def test_little_motion_and_other_encodings_have_no_axes() -> None:
    context = tiny_context()
    assert not posture_axes(held([0.3, -0.3]), ("calm",), context.standardize_pose).any()
    assert not Context.of_corpus(SPEC, tiny_corpus()).posture_axes.any()
    other = FeatureSpec("rotations").fit([tiny_corpus().clip(tiny_corpus().stretches[0])])
    rotations = replace(held([0.3, -0.3] * 20), encoding=other)
    assert not posture_axes(rotations, ("calm",), context.standardize_pose).any()
    corpus = held([0.3, -0.3] * 20)
    fitted = Context.of_corpus(SPEC, corpus)
    assert fitted.posture_axes.any()
    read = Context.from_parts(*fitted.to_parts(), "here")
    np.testing.assert_array_equal(read.posture_axes, fitted.posture_axes)
    arrays, table = fitted.to_parts()
    del arrays["posture_axes"]  # as checkpoints once were
    assert not Context.from_parts(arrays, table, "here").posture_axes.any()
