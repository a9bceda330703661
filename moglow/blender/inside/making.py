"""Generation of takes frame by frame, so that Blender can respond in between. Needs numpy alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from moglow.checkpoint import Checkpoint
from moglow.directing.pinned import Directing
from moglow.directing.pins import Direction
from moglow.errors import CheckpointError
from moglow.ground.surface import Ground
from moglow.measures.tally import Tally
from moglow.motion.clip_stream import joined
from moglow.motion.foot_lock import bent_toes, lock_feet
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import BLOCK, LOCK, PRETRAINED, Take, finished
from moglow.sampling.on_ground import walk_over
from moglow.sampling.sampler import Sampler, Track


def make(
    checkpoint: Checkpoint,
    path: ControlPath,
    *,
    seed: int,
    takes: int,
    temperature: float,
    foot_lock: bool,
    name: str,
    ground: Ground | None = None,
    directions: Sequence[Direction] = (),
) -> Iterator[float | Take]:
    """Yields the progress, from 0 to 1, and each take; takes are equal to those of `moglow.generate`."""
    if directions:
        directing = Directing(checkpoint, temperature, foot_lock)
        yield from _directed(directing, path, directions, ground, seed=seed, takes=takes, name=name)
        return
    sampler = Sampler.of(checkpoint, temperature=temperature, device="cpu")
    path = path.resample(sampler.fps)
    if ground is not None:
        yield from _over_ground(sampler, checkpoint, path, ground, seed=seed, takes=takes, name=name)
        return
    size = round(BLOCK * sampler.fps)
    for number in range(takes):
        track = Track(path, seed, number)
        frames = []
        for pose, nats in sampler.sample([track]):
            frames.append((pose[0], nats[0]))
            yield (number + len(frames) / len(path)) / takes
        parts = [frames[start : start + size] for start in range(0, len(frames), size)]
        blocks = (
            (np.stack([pose for pose, _ in part]), np.stack([nats for _, nats in part])) for part in parts
        )
        tally, clips = Tally(), []
        for clip in finished(checkpoint, track, blocks, tally, foot_lock):
            clips.append(clip)
            yield (number + 1) / takes
        yield Take(joined(clips, name), seed, number, path, tally.measured(path))


def _over_ground(
    sampler: Sampler,
    checkpoint: Checkpoint,
    path: ControlPath,
    ground: Ground,
    *,
    seed: int,
    takes: int,
    name: str,
) -> Iterator[float | Take]:
    """Yields the progress and takes over a ground; takes are on a level floor and are put on the ground later."""
    for number in range(takes):
        yield number / takes
        walked = walk_over(sampler, checkpoint, Track(path, seed, number), ground)
        yield (number + 0.8) / takes
        clip, tally = replace(bent_toes(lock_feet(walked.clip, spec=LOCK)), name=name), Tally()
        tally.sampled(walked.clip, walked.nats)
        tally.written(clip)
        yield (number + 1) / takes
        yield Take(clip, seed, number, walked.path, tally.measured(walked.path))


def _directed(
    directing: Directing,
    path: ControlPath,
    directions: Sequence[Direction],
    ground: Ground | None,
    *,
    seed: int,
    takes: int,
    name: str,
) -> Iterator[float | Take]:
    """Yields the progress after each take, and takes that meet directions; those over a ground are level as above."""
    for number in range(takes):
        yield number / takes
        made = directing.make(path, directions, seed=seed, take=number, name=name, ground=ground, stand=False)
        prices = tuple(price.figures for price in made.prices)
        yield (number + 1) / takes
        yield Take(made.clip, seed, number, made.path, made.measured, pins=prices)


def read_checkpoint(file: str) -> Checkpoint:
    """Returns the checkpoint of a file, by default the shipped one; the last ones are cached."""
    path = Path(file) if file else PRETRAINED
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such file; choose a checkpoint of moglow, or none for the shipped one"
        )
    checkpoint = _read(path, path.stat().st_mtime)
    try:
        Sampler.of(checkpoint, device="cpu")
    except ModuleNotFoundError as error:
        raise CheckpointError(
            f"{path}: a {checkpoint.model} of this kind needs torch, which Blender's Python does not have; "
            "use moglow generate, and open its file"
        ) from error
    return checkpoint


@lru_cache(maxsize=4)
def _read(path: Path, changed: float) -> Checkpoint:
    return Checkpoint.read(path)
