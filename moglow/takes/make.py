"""What `moglow generate` does with its options: takes as files, each with a sidecar of figures."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from moglow import __version__
from moglow.checkpoint import BEST, Checkpoint, likelihood_terms, real_figures, real_slide
from moglow.files.atomic import refuse_overwriting
from moglow.formats.export import check_options, export_blocks
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import resampled
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import LOCK, PRETRAINED, TEMPERATURE, Motion, motions, styled, within_range
from moglow.sampling.loops import Loop, make_loop
from moglow.sampling.ranking import scores
from moglow.sampling.sampler import Sampler, Track
from moglow.takes.footwork import Footed, Footwork
from moglow.takes.jobs import Job, find_share, plan, share
from moglow.takes.sidecars import describe, digest, matches, read_sidecar, write_sidecar
from moglow.takes.single import on_rig, read_rig

Passed: TypeAlias = Callable[[int, int, int], None]
"""Is told the frames of finished motions, those of all, and those of the motion that is being made."""
THERE = "is there already, made with the same settings (--overwrite makes it again)"


@dataclass(frozen=True)
class Wish:
    """The options of `moglow generate` that are the same for all of its motions."""

    checkpoint: Path | None
    takes: int
    rank: bool
    seed: int
    temperature: float | None
    style: str | None
    performer: str | None
    fps: float | None
    unit: str | None
    skeleton: Path | None
    foot_lock: bool
    loop: bool
    strides: int | None
    in_place: bool
    footwork: Footwork
    fit: bool
    strict: bool
    device: str
    shard: str | None
    overwrite: bool


@dataclass(frozen=True, eq=False)
class Order:
    """A take to make: its path, its file, and the settings by which a finished one is known."""

    path: ControlPath
    take: int
    performer: str | None
    target: Path
    settings: Mapping[str, Any]
    warnings: tuple[str, ...]
    implied: bool = False
    """Whether the path comes from footprints."""


def make_takes(
    controls: Sequence[str],
    out: Path | None,
    wish: Wish,
    passed: Passed = lambda *_: None,
) -> Iterator[str]:
    """Writes the takes and yields a line for each file, and for each warning; tells ``passed`` how far it is."""
    jobs = share(plan(controls, out, wish.takes), *find_share(wish.shard), whole=wish.rank)
    options = {"unit": wish.unit} if wish.unit else {}
    for job in jobs:
        check_options(job.target, options)  # a mistake is told before the work, not after it
        for take in job.takes:
            refuse_overwriting(
                job.place(take), (job.control, wish.skeleton, wish.checkpoint, wish.footwork.follow)
            )
    inputs = (*(job.control for job in jobs), wish.skeleton, wish.checkpoint)
    motion_count = sum(len(job.takes) for job in jobs)
    wish.footwork.check(motions=motion_count, loop=wish.loop, foot_lock=wish.foot_lock, inputs=inputs)
    if wish.footwork.write and not wish.footwork.write.exists():
        wish = replace(wish, overwrite=True)  # a take that is there already wrote none
    model = Checkpoint.read(wish.checkpoint or PRETRAINED)
    temperature = TEMPERATURE if wish.temperature is None else wish.temperature
    sampler = Sampler.of(model, temperature=temperature, device=wish.device)
    rig = read_rig(wish.skeleton) if wish.skeleton else None
    common = _settings(wish, sampler)
    orders: list[Order] = []
    for job in jobs:
        for order in _orders(job, wish, model, common):
            done = None if wish.overwrite else _finished_file(order, job, ranked=wish.rank)
            if done and not wish.rank:
                yield f"{done}: {THERE}"
            elif not done:
                orders.append(order)
                if order.take == job.takes[0]:
                    yield from (f"warning: {job.control}: {each}" for each in order.warnings)
    orders.sort(key=lambda order: len(order.path))  # those drawn together are best as long as each other
    total, so_far = sum(len(order.path) for order in orders), 0
    about = {"real_motion": real_figures(model), "likelihood_is": likelihood_terms(model)}
    for order, (blocks, made) in zip(orders, _made(orders, wish, sampler, model, rig), strict=True):
        counted = _Counted(blocks, partial(passed, so_far, total))
        order.target.parent.mkdir(parents=True, exist_ok=True)
        sidecar = order.target.with_suffix(".json")
        sidecar.unlink(missing_ok=True)  # whoever finds one may trust the file beside it
        export_blocks(counted, order.target, **options)
        so_far += len(order.path)
        size = order.target.stat().st_size
        length = {"fps": counted.fps, "frames": counted.frames, "bytes": size}
        figures = {**order.settings, "warnings": list(order.warnings), **length, **made.figures, **about}
        write_sidecar(sidecar, figures)
        if not wish.rank:
            yield describe(order.target, figures)
    if wish.rank:
        for job in jobs:
            yield from _rank(job, {order.take: order for order in _orders(job, wish, model, common)}, model)


def _made(
    orders: Sequence[Order], wish: Wish, sampler: Sampler, model: Checkpoint, rig: Clip | None
) -> Iterator[tuple[Iterator[Clip], Motion | Loop | Footed]]:
    """For each order the blocks of its motion, and who knows its figures once they have passed."""
    tracks = [Track(order.path, wish.seed, order.take, order.performer) for order in orders]
    if wish.footwork:
        for order, track in zip(orders, tracks, strict=True):
            made = wish.footwork.made(
                sampler, model, track, rig, foot_lock=wish.foot_lock, implied=order.implied
            )
            clip = made.clip.resample(wish.fps) if wish.fps else made.clip
            yield _placed(iter([clip]), wish), made
        return
    if not wish.loop:
        for motion in motions(sampler, model, tracks, foot_lock=wish.foot_lock):
            yield _placed(_as_wished(motion.blocks, rig, wish), wish), motion
        return
    for track in tracks:
        loop = make_loop(sampler, model, track, spec=LOCK, strides=wish.strides, foot_lock=wish.foot_lock)
        yield iter([loop.finished(rig, wish.fps, in_place=wish.in_place)]), loop


def _settings(wish: Wish, sampler: Sampler) -> dict[str, Any]:
    """What decides about the bytes of a motion, apart from its path and its take."""
    file = wish.checkpoint or PRETRAINED
    file = file / BEST if file.is_dir() else file
    return {
        "moglow": __version__,
        "model": file.name,
        "model_sha256": digest(file.read_bytes()),
        "device": sampler.device,
        "seed": wish.seed,
        "temperature": sampler.temperature,
        "style": wish.style,
        "foot_lock": wish.foot_lock,
        "loop": wish.loop,
        "strides": wish.strides,
        "in_place": wish.in_place,
        "asked_fps": wish.fps,
        "skeleton": wish.skeleton and str(wish.skeleton),
        "skeleton_sha256": wish.skeleton and digest(wish.skeleton.read_bytes()),
        "axes": "Y up, +Z forward",
        **wish.footwork.settings,
    }


def _orders(job: Job, wish: Wish, model: Checkpoint, common: Mapping[str, Any]) -> list[Order]:
    implied = wish.footwork.path(job.control, model)
    path = implied or read_path(job.control, fps=model.context.fps)
    path = styled(path, wish.style).resample(model.context.fps)
    path, warnings = within_range(model, path, fit=wish.fit, strict=wish.strict)
    cast = [(take, model.context.cast(wish.performer, wish.seed, take)) for take in job.takes]
    content = [path.positions.tobytes(), path.headings.tobytes(), repr(path.styles).encode()]
    settings = {
        **common,
        "control": job.control,
        "control_sha256": digest(b"".join(content)),
        "unit": "m" if job.target.suffix != ".bvh" else wish.unit or ("the rig's" if wish.skeleton else "cm"),
    }
    return [
        Order(
            path,
            take,
            performer,
            job.waiting(take) if wish.rank else job.place(take),
            {**settings, "take": take, "performer": performer},
            tuple(warnings),
            implied is not None,
        )
        for take, performer in cast
    ]


def _finished_file(order: Order, job: Job, *, ranked: bool) -> Path | None:
    """Where this take lies already, whole and made with the same settings."""
    places = [order.target, *(job.place(number) for number in range(job.of) if ranked)]
    return next((place for place in places if matches(place, order.settings)), None)


def _rank(job: Job, orders: Mapping[int, Order], model: Checkpoint) -> Iterator[str]:
    """Numbers the takes of a path by their scores, the best first."""
    files = [_finished_file(order, job, ranked=True) for order in orders.values()]
    found = [file for file in files if file is not None]
    said = [read_sidecar(file) for file in found]
    values = scores(
        [each["path_error_m"]["mean"] for each in said],
        [each["foot_slide_m_s"]["sampled"]["mean"] for each in said],
        [each["log_likelihood_nats"]["mean"] or np.nan for each in said],
        channels=model.context.pose_dim,
        real_slide=real_slide(model),
    )
    order = np.argsort(values, kind="stable")
    if all(found[k] == job.place(place) and "score" in said[k] for place, k in enumerate(order)):
        yield from (f"{job.place(place)}: {THERE}" for place in range(len(order)))
        return
    for file, figures, value in zip(found, said, values, strict=True):
        waiting = job.waiting(figures["take"])
        file.replace(waiting)
        if file != waiting:
            file.with_suffix(".json").unlink()
        write_sidecar(waiting.with_suffix(".json"), figures | {"score": round(float(value), 3)})
    for place, k in enumerate(order):
        target, waiting = job.place(place), job.waiting(said[k]["take"])
        target.with_suffix(".json").unlink(missing_ok=True)
        waiting.replace(target)
        waiting.with_suffix(".json").replace(target.with_suffix(".json"))
        yield f"{describe(target, said[k])}, score {values[k]:.2f}"


def _as_wished(blocks: Iterator[Clip], rig: Clip | None, wish: Wish) -> Iterator[Clip]:
    blocks = on_rig(blocks, rig)
    return resampled(blocks, wish.fps) if wish.fps else blocks


def _placed(blocks: Iterator[Clip], wish: Wish) -> Iterator[Clip]:
    return (block.in_place() for block in blocks) if wish.in_place else blocks


class _Counted:
    """Blocks that are counted as they pass."""

    def __init__(self, blocks: Iterable[Clip], passed: Callable[[int], None]) -> None:
        self._blocks, self._passed = blocks, passed
        self.frames, self.fps = 0, 0.0

    def __iter__(self) -> Iterator[Clip]:
        for block in self._blocks:
            self.frames, self.fps = self.frames + len(block), block.fps
            self._passed(self.frames)
            yield block
