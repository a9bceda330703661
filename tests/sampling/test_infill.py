"""Infilling and strangeness: known frames stay; a sampled step is nearer than a curve."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from moglow.bvh.read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.cleaning.damage import interpolated
from moglow.cleaning.injection import inject
from moglow.cleaning.limbs import limbs
from moglow.errors import SkeletonError
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.infill import Infill
from moglow.scoring.strangeness import find_unlikely, strangeness
from tests.support.rigs import DOGS, RIGS
from tests.support.walking import skeleton_of

WALK = read_bvh(Path(__file__).resolve().parents[2] / "data" / "samples" / "walk.bvh")[:150]
LEG = limbs(WALK.skeleton)["left leg"]


@pytest.fixture(scope="module")
def infill() -> Infill:
    return Infill.of(Checkpoint.read(PRETRAINED), generator=torch.Generator().manual_seed(0))


def gap(clip: Clip, joints: tuple[int, ...], frames: slice = slice(60, 85)) -> np.ndarray:
    missing = np.zeros((len(clip), len(clip.skeleton)), bool)
    missing[frames, list(joints)] = True
    return missing


def misses(infill: Infill, clip: Clip, missing: np.ndarray) -> tuple[float, float]:
    """Returns the mean distance of all joints in metres, of sampled gaps and of curves; the rest is unchanged."""
    sampled, curve = infill(clip, missing), interpolated(clip, missing)
    assert np.array_equal(sampled.rotations[~missing], clip.rotations[~missing])
    assert np.array_equal(sampled.positions[~missing], clip.positions[~missing])
    off, curved = (
        np.linalg.norm(each.world_positions - clip.world_positions, axis=-1)[missing.any(1)].mean()
        for each in (sampled, curve)
    )
    return float(off), float(curved)


@pytest.mark.parametrize("joints", [LEG, range(len(WALK.skeleton))], ids=["leg", "all"])
def test_a_sampled_gap_is_near_and_leaves_known_frames(infill: Infill, joints: Sequence[int]) -> None:
    assert 0.0 < misses(infill, WALK, gap(WALK, tuple(joints)))[0] < 0.1


def test_in_held_out_motion_a_sampled_gap_is_nearer_than_a_curve(infill: Infill, shared_data: Path) -> None:
    clips = [
        read_bvh(shared_data / "locomotion" / "open_cmu69" / f"{name}.bvh")[:150]
        for name in ("69_05_1", "69_10_1", "69_15_1")
    ]
    off = [misses(infill, clip, gap(clip, limbs(clip.skeleton)["left leg"])) for clip in clips]
    assert np.mean([sampled for sampled, _ in off]) < 0.8 * np.mean([curve for _, curve in off])


def test_gaps_are_sampled_on_another_figure_at_another_rate(infill: Infill) -> None:
    clip = retarget(WALK.resample(60.0), skeleton_of(RIGS["mixamo"]))
    missing = gap(clip, limbs(clip.skeleton)["left leg"], slice(140, 180))
    sampled, curve = infill(clip, missing), interpolated(clip, missing)
    assert np.array_equal(sampled.rotations[~missing], clip.rotations[~missing])
    off = np.linalg.norm(sampled.world_positions - curve.world_positions, axis=-1)[missing.any(1)].mean()
    assert 1e-3 < off < 0.1  # something else was sampled, and not far away


def test_a_gap_at_the_beginning_is_a_curve(infill: Infill) -> None:
    missing = gap(WALK, LEG, slice(3, 12))
    assert np.array_equal(infill(WALK, missing).rotations, interpolated(WALK, missing).rotations)


def test_a_spike_is_strange_and_sound_motion_is_not(infill: Infill) -> None:
    spike = inject(WALK, "spike", generator=np.random.default_rng(0))
    scores = strangeness(infill.checkpoint, infill.model, spike.clip)
    assert scores.shape == (len(WALK),)
    assert np.nanmax(scores[spike.frames]) > np.nanmedian(scores) + 100
    assert find_unlikely(infill.checkpoint, infill.model, WALK) == []


def test_a_figure_that_the_model_does_not_know_is_an_error(infill: Infill) -> None:
    with pytest.raises(SkeletonError, match="legs"):
        strangeness(infill.checkpoint, infill.model, Clip.at_rest(skeleton_of(DOGS["rigify"]), frames=60))
