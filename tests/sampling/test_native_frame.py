"""Frames in one call of the kernel: the bytes of the frames that numpy builds around the kernel."""

from dataclasses import replace

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.corpus.channel_weights import OTHERS
from moglow.paths.csv_files import read_path
from moglow.sampling.fast import native_frame
from moglow.sampling.fast.native_frame import NativeFrame
from moglow.sampling.fast.native_moglow import native_model
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.sampler import Sampler, Track
from tests.sampling.test_sampler import make_checkpoint

TAKES = 3


def sampler_of(checkpoint: Checkpoint, temperature: float) -> Sampler:
    if native_model(checkpoint) is None:
        pytest.skip("this machine makes no kernel")
    return Sampler.of(checkpoint, temperature=temperature)


def sampled(sampler: Sampler) -> list[tuple[bytes, bytes]]:
    path = read_path("circle:r=1", fps=sampler.fps)[:40]
    tracks = [Track(path, seed=seed) for seed in range(TAKES)]
    return [(poses.tobytes(), nats.tobytes()) for poses, nats in sampler.sample(tracks)]


@pytest.mark.parametrize("temperature", [0.7, 1e5])
@pytest.mark.parametrize("name", ["shipped", "small", "without momentum"])
def test_frames_have_the_bytes_of_numpy(name: str, temperature: float) -> None:
    """At the higher temperature poses reach their bound, and toes are out of the legs' reach."""
    checkpoint = Checkpoint.read(PRETRAINED) if name == "shipped" else make_checkpoint(hidden=24)
    if name != "shipped":
        spec = replace(checkpoint.context.spec, momentum={} if "without" in name else {OTHERS: 0.5})
        generator = np.random.default_rng(0)
        momentum = generator.random(checkpoint.context.pose_dim).astype(np.float32)
        checkpoint = replace(checkpoint, context=replace(checkpoint.context, spec=spec, momentum=momentum))
    one, other = (sampler_of(checkpoint, temperature) for _ in range(2))
    assert isinstance(one._frame, NativeFrame)
    other.__dict__["_frame"] = other._sampled
    assert sampled(one) == sampled(other)


def test_bits_do_not_depend_on_the_frames_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames one at a time, several in a call, and calls that end where endings are sampled have the same bits."""
    sampler = sampler_of(make_checkpoint(hidden=24), 0.7)
    tracks = [Track(read_path(f"line:length={k}", fps=sampler.fps), take=k) for k in (2, 3)]
    stepped = replace(sampler)
    frame = stepped.__dict__["_frame"] = lambda *given: sampler._frame(*given)
    assert not isinstance(frame, NativeFrame)  # so that `Sampler.step` is called for each frame
    expected = [(poses.tobytes(), nats.tobytes()) for poses, nats in stepped.sample(tracks)]
    for longest in (7, 64):
        monkeypatch.setattr(native_frame, "LONGEST", longest)
        assert [(poses.tobytes(), nats.tobytes()) for poses, nats in sampler.sample(tracks)] == expected


def test_a_context_with_other_planted_channels_is_left_to_numpy() -> None:
    checkpoint = make_checkpoint(hidden=24)
    model = native_model(checkpoint)
    assert not NativeFrame.covers(checkpoint.context, object())
    if model is not None:
        assert NativeFrame.covers(checkpoint.context, model)
        assert not NativeFrame.covers(Checkpoint.read(PRETRAINED).context, model)  # of another size
