"""Rehearsal: a model's own motion under its own labels, and under new ones what their clips lack."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from moglow.corpus.corpus import Corpus
from moglow.models import MODELS
from moglow.paths.control_range import ControlRange
from moglow.training.rehearsal import MOVES, RehearsalSpec, joined, rehearsal, wandering
from tests.support.tiny import tiny_context, tiny_corpus, tiny_recipe

REACH = ControlRange(forward=2.0, backward=0.8, sideways=0.7, turn=2.0)
SPEC = RehearsalSpec(minutes=0.5, seconds=1.5, warm=0.5, temperature=0.5)


def named(style: str) -> Corpus:
    """Returns the tiny corpus with one style, and a range of forward walks only."""
    corpus = tiny_corpus()
    return replace(
        corpus,
        stretches=tuple(replace(each, style=style) for each in corpus.stretches),
        control_range=ControlRange(forward=1.0, backward=0.0, sideways=0.1, turn=0.5),
    )


def made(spec: RehearsalSpec, reach: ControlRange = REACH, seed: int = 1) -> Corpus:
    context, table = tiny_context(), dict(tiny_recipe().tables["model"])
    model = MODELS[table.pop("name")]
    table.pop("preset")
    config = replace(model.PRESETS["compact"], **{**table, "encoder": (8,)})
    fresh = model(config, context.pose_dim, context.size, generator=torch.Generator().manual_seed(1)).eval()
    return rehearsal(named("sly"), fresh, context, reach, spec, seed=seed)


def test_motion_is_made_under_the_labels_of_the_model() -> None:
    motion = made(SPEC)
    assert len(motion.pose) == len(motion.control) == sum(map(len, motion.stretches)) == 20 * 30
    assert {each.style for each in motion.stretches} == {"", "brisk", "calm"}  # no default style: any
    assert {(each.split, each.again) for each in motion.stretches} == {("train", True)}
    assert np.isfinite(motion.pose).all() and np.ptp(motion.control, axis=0).min() > 0.5
    np.testing.assert_array_equal(made(SPEC).pose, motion.pose)
    assert not np.array_equal(made(SPEC, seed=2).pose, motion.pose)
    assert not len(made(RehearsalSpec()).stretches)


def test_new_styles_borrow_the_moves_that_their_clips_lack() -> None:
    motion = made(replace(SPEC, borrowed=0.5))
    borrowed = [motion.control[each.frames] for each in motion.stretches if each.style == "sly"]
    assert 4 <= len(borrowed) <= 16
    forward, sideways, _ = np.concatenate(borrowed).T
    assert forward.max() < 1e-6 and forward.min() < -0.1 and abs(sideways).max() > 0.1
    like = replace(REACH, sideways=0.2, backward=0.2)  # the model cannot do them either
    assert not any(each.style == "sly" for each in made(replace(SPEC, borrowed=1.0), like).stretches)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.98])
def test_it_is_joined_to_a_corpus_as_a_share_of_it(share: float) -> None:
    corpus, motion = tiny_corpus(), made(SPEC)
    both = joined(corpus, motion, share)
    assert both.stretches[:3] == corpus.stretches and both.split("val") == corpus.split("val")
    for one, other in zip(both.stretches[3:], motion.stretches, strict=False):
        np.testing.assert_array_equal(both.features(one).pose, motion.features(other).pose)
        assert one.name == other.name
    train = both.split("train")
    rehearsed = sum(len(each) for each in train if each.name.startswith("rehearsal"))
    assert rehearsed / sum(map(len, train)) == pytest.approx(share, abs=0.08)
    assert sum(not each.again for each in train) == 2  # repeats are no further minutes of motion


def test_controls_stay_in_the_range_and_change_gently() -> None:
    random = np.random.default_rng(3)
    controls = np.stack([wandering(REACH, 200, 20.0, random, MOVES) for _ in range(20)])
    forward, sideways, _ = np.moveaxis(controls, -1, 0)
    assert forward.max() <= 2 and forward.min() >= -0.8 and abs(sideways).max() <= 0.7
    assert np.abs(np.diff(controls[..., :2], axis=1)).max() * 20 < 6  # m/s²


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="seconds 1"):
        RehearsalSpec(seconds=1.0)
    with pytest.raises(ValueError, match="share is 1"):
        RehearsalSpec(share=1.0)
    with pytest.raises(ValueError, match="borrowed 2"):
        RehearsalSpec(borrowed=2.0)
