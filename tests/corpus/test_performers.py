"""Performers: read from a recipe, kept in a corpus, one-hot before the style, dropped out on their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moglow.corpus.context import ANY, Context
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.corpus import Corpus
from moglow.corpus.sources import DataSpec, SourceSpec, find_sources
from moglow.corpus.window_spec import WindowSpec
from moglow.corpus.windows import Footage, Windows
from moglow.errors import ControlError, RecipeError
from moglow.paths.control_path import ControlPath
from tests.support.tiny import CARRY, tiny_context, tiny_corpus

SPEC = ContextSpec(history=3, lookahead=2, flags=True, carry=CARRY, performers=True)


def performed() -> Corpus:
    """Returns the tiny corpus with a performer for its first two clips."""
    corpus = tiny_corpus()
    names = ("ann", "bob", "")
    stretches = zip(corpus.stretches, names, strict=True)
    return replace(corpus, stretches=tuple(replace(each, performer=name) for each, name in stretches))


def test_performers_are_named_by_folder_and_by_file(tmp_path: Path) -> None:
    for name in ("ann_walk.bvh", "bob_walk.bvh", "walk.bvh"):
        (tmp_path / name).write_text("")
    data = DataSpec(sources=(SourceSpec(performer="cat", performers={"ann": ("ann_*",), "bob": ("bob_*",)}),))
    found = {source.name: source.performer for source in find_sources(data, tmp_path)}
    assert found == {"ann_walk.bvh": "ann", "bob_walk.bvh": "bob", "walk.bvh": "cat"}


def test_a_corpus_keeps_its_performers(tmp_path: Path) -> None:
    corpus = performed()
    corpus.write(tmp_path / "two.corpus")
    read = Corpus.open(tmp_path / "two.corpus")
    assert read.performers == ("ann", "bob")
    assert read.stretches == corpus.stretches


def test_a_label_holds_the_performer_and_then_the_style() -> None:
    context = Context.of_corpus(SPEC, performed())
    assert (context.performers, context.labels) == (("ann", "bob"), 2 + len(context.styles))
    style = context.styles[0]
    np.testing.assert_array_equal(context.style_vector(style, "bob")[:3], [0, 1, 1])
    np.testing.assert_array_equal(context.style_vector(None), np.zeros(context.labels))
    with pytest.raises(ControlError, match=r"no performer is called 'bo'.*bob"):
        context.style_vector(None, "bo")
    with pytest.raises(RecipeError, match="performer: no performer 'bo'"):
        Context.of_corpus(replace(SPEC, performer="bo"), performed())


def test_postures_of_performer_and_style_add_up_to_their_mean_pose() -> None:
    corpus, context = performed(), Context.of_corpus(SPEC, performed())
    stretch = corpus.stretches[0]  # the only clip of its performer
    mean = context.standardize_pose(corpus.features(stretch).pose).mean(0)
    posture = context.posture(context.style_vector(stretch.style, stretch.performer))
    np.testing.assert_allclose(posture, mean, atol=1e-5)


def test_a_context_reads_back_with_its_performers() -> None:
    context = Context.of_corpus(replace(SPEC, performer="ann"), performed())
    read = Context.from_parts(*context.to_parts(), "here")
    assert (read.performers, read.spec.performer, read.size) == (("ann", "bob"), "ann", context.size)
    np.testing.assert_array_equal(read.label_vector(None), context.label_vector(None))
    arrays, table = tiny_context().to_parts()
    del table["performers"]  # as in checkpoints written before there were any
    assert Context.from_parts(arrays, table, "here").performers == ()


def test_performer_and_style_are_dropped_out_on_their_own() -> None:
    corpus = performed()
    footage = Footage(corpus, Context.of_corpus(SPEC, corpus))
    spec = WindowSpec(length=10, pose_dropout=0.0, style_dropout=0.5, performer_dropout=0.25)
    labels = Windows(footage, spec, split="train", batch=2000, seed=1).batch(0).style[:, 0]
    performer, style = labels[:, :2].sum(-1), labels[:, 2:].sum(-1)
    assert (performer == 0).float().mean().item() == pytest.approx(0.25, abs=0.04)
    assert (style == 0).float().mean().item() == pytest.approx(0.5, abs=0.04)
    assert ((performer == 0) & (style == 0)).float().mean().item() == pytest.approx(0.125, abs=0.04)


def test_the_default_performer_borrows_windows_of_others() -> None:
    corpus = performed()
    footage = Footage(corpus, Context.of_corpus(replace(SPEC, performer="bob"), corpus))
    spec = WindowSpec(length=10, pose_dropout=0.0, style_dropout=0.0)
    before, after = (
        Windows(footage, each, split="train", batch=2000, seed=1).batch(0).style[:, 0]
        for each in (spec, replace(spec, performer_lent=0.25))
    )
    ann = before[:, 0] == 1
    assert (after[ann, 1] == 1).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert torch.equal(after[~ann, :2].argmax(-1), torch.ones(int((~ann).sum()), dtype=torch.int64))
    assert torch.equal(before[:, 2:], after[:, 2:])


def test_a_path_sideways_has_a_performer_of_its_own() -> None:
    context = Context.of_corpus(replace(SPEC, performer="ann", sideways="bob"), performed())
    ahead = ControlPath.from_velocities([[1.0, 0.0, 0.0]] * 20, 20.0)
    aside = ControlPath.from_velocities([[0.0, 0.5, 0.0]] * 20, 20.0)
    assert [context.performer_of(path) for path in (ahead, aside)] == [None, "bob"]
    np.testing.assert_array_equal(context.path_rows(ahead)[0], context.label_vector(None))
    assert context.performer_of(aside, "ann") == "ann"
    assert context.styles_of(aside) == [None]
    np.testing.assert_array_equal(context.label_vector(None, aside=True), context.style_vector(None, "bob"))


def test_any_performer_is_another_one_for_each_take() -> None:
    context = Context.of_corpus(replace(SPEC, performer="ann"), performed())
    cast = [context.cast(ANY, 5, take) for take in range(40)]
    assert set(cast) == {"ann", "bob"}
    assert cast == [context.cast(ANY, 5, take) for take in range(40)]
    assert context.cast(None, 5, 0) is None  # the default performer
    with pytest.raises(ControlError, match="trained without performers"):
        tiny_context().cast(ANY, 0, 0)


def test_a_style_can_have_a_default_performer_of_its_own() -> None:
    corpus = performed()
    style = corpus.styles[0]
    spec = replace(SPEC, performer="ann", sideways="ann", performer_by_style={style: "bob"})
    context = Context.of_corpus(spec, corpus)
    ann, bob = (context.style_vector(style, who) for who in ("ann", "bob"))
    np.testing.assert_array_equal(context.label_vector(style), bob)
    np.testing.assert_array_equal(context.label_vector(None), context.style_vector(None, "ann"))
    np.testing.assert_array_equal(context.style_rows([None, style], 3)[1:], [bob, bob])
    np.testing.assert_array_equal(context.style_rows([style], 1, "ann")[0], ann)
    aside = ControlPath.from_velocities([[0.0, 0.5, 0.0]] * 20, 20.0)
    assert context.performer_of(aside) == "ann"
    assert context.performer_of(replace(aside, styles=(style,) * 20)) is None
    np.testing.assert_array_equal(context.path_rows(replace(aside, styles=(style,) * 20))[0], bob)
    np.testing.assert_array_equal(context.label_vector(style, aside=True), bob)
    for wrong, found in (({"none": "ann"}, "no style 'none'"), ({style: "cat"}, "no performer 'cat'")):
        with pytest.raises(RecipeError, match=found):
            Context.of_corpus(replace(SPEC, performer_by_style=wrong), corpus)
