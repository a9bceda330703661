"""Splices: joined where the gaits agree, no planted foot slides, and the label changes with the recording."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from moglow.corpus.context import Context
from moglow.corpus.context_spec import ContextSpec
from moglow.corpus.corpus import Corpus
from moglow.corpus.splicing import PLANTED_SPEED, SpliceSpec, joined, spliced
from moglow.corpus.window_order import Cuts
from moglow.corpus.windows import Footage
from moglow.encodings.encoding import Features
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath
from tests.support.tiny import CARRY, tiny_corpus

SPEC = SpliceSpec(count=6, before=0.5, after=1.0, blend=0.2, moving=0.2)


@cache
def styled() -> Corpus:
    """Returns the tiny corpus, all for training, in two styles."""
    corpus = tiny_corpus()
    styles = ("calm", "calm", "brisk")
    stretches = zip(corpus.stretches, styles, strict=True)
    return replace(
        corpus, stretches=tuple(replace(each, style=style, split="train") for each, style in stretches)
    )


def part(features: Features, start: int, stop: int) -> Features:
    return Features(features.pose[start:stop], features.control[start:stop])


def test_splices_are_added_behind_the_recordings() -> None:
    corpus = styled()
    more = spliced(corpus, SPEC)
    added = more.stretches[len(corpus.stretches) :]
    assert more.stretches[: len(corpus.stretches)] == corpus.stretches
    np.testing.assert_array_equal(more.pose[: len(corpus.pose)], corpus.pose)
    assert [(each.before, each.style) for each in added] == [("brisk", "calm"), ("calm", "brisk")] * 3
    assert {(each.change, len(each), each.again) for each in added} == {(10, 30, True)}
    assert more.pose_normalizer is corpus.pose_normalizer
    np.testing.assert_array_equal(spliced(corpus, SPEC).pose, more.pose)


def test_gaits_that_differ_too_much_are_not_joined() -> None:
    assert spliced(styled(), replace(SPEC, apart=1e-6)).stretches == styled().stretches
    assert spliced(styled(), SpliceSpec()) is styled()


def test_the_head_is_kept_and_the_tail_is_reached() -> None:
    corpus = styled()
    head, tail = (
        part(corpus.features(corpus.stretches[0]), 0, 24),
        part(corpus.features(corpus.stretches[2]), 5, 65),
    )
    both = joined(corpus.encoding, head, tail, 4, corpus.fps)
    np.testing.assert_array_equal(both.pose[:20], head.pose[:20])
    np.testing.assert_allclose(both.pose[-20:], tail.pose[-20:], atol=1e-5)
    np.testing.assert_allclose(both.control[24:], tail.control[4:], atol=1e-6)


def test_no_planted_foot_slides_at_a_splice() -> None:
    corpus = spliced(styled(), SPEC)
    for stretch in corpus.stretches[len(styled().stretches) :]:
        path = ControlPath.from_velocities(corpus.control[stretch.frames].astype(float), corpus.fps)
        toes = toe_points(corpus.encoding.decode(corpus.pose[stretch.frames], path))
        speed = np.linalg.norm(np.diff(toes, axis=0)[..., [0, 2]], axis=-1) * corpus.fps
        assert speed[8:16].min(axis=-1).max() < PLANTED_SPEED


def test_the_label_changes_with_the_recording() -> None:
    corpus = spliced(styled(), SPEC)
    context = Context.of_corpus(ContextSpec(history=3, lookahead=2, carry=CARRY), corpus)
    stretch = corpus.stretches[-1]
    off = torch.tensor([False])
    cuts = Cuts(torch.tensor([stretch.start]), off, off, ~off, torch.tensor([0]))
    window = Footage(corpus, context).cut(cuts, 3, 20, 2)
    brisk = window.style[0, :, context.styles.index("brisk")].tolist()
    assert brisk == [0.0] * (stretch.change - 3) + [1.0] * (20 - stretch.change + 3)
