"""Makes the takes of `moglow generate`: motion files, each with a sidecar of figures."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from moglow.checkpoint import Checkpoint
from moglow.compute.copies import can_copy, in_turn, processors
from moglow.errors import ClipError, ControlError, ExportError, MoglowError
from moglow.files.atomic import refuse_overwriting, sweep
from moglow.files.locks import locked
from moglow.formats.export import check_options
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import resampled
from moglow.motion.root_motion import on_root
from moglow.paths.crowds import split_source
from moglow.sampling.fast.native_moglow import NativeMoGlow
from moglow.sampling.generate import LOCK, PRETRAINED, TEMPERATURE, motions
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import possible_blocks, refuse_impossible
from moglow.takes.existing import THERE, files_of, finished_file, places_of, rank
from moglow.takes.jobs import Job, find_share, is_one_file, plan, share
from moglow.takes.orders import Order, Wish, orders_of, settings_of, summary
from moglow.takes.shares import Failures, Group, GroupResult, make_groups
from moglow.takes.single import on_rig, read_rig
from moglow.takes.writing import Made, Passed, Written, write_in_turn

SHARED = 5000
"""Number of frames from which motions are made by several processes; a process takes some hundredths of a second."""
MOST_PROCESSES = 8
"""Most processes that make motions, since each needs memory of its own."""


def make_takes(
    controls: Sequence[str],
    out: Path | None,
    wish: Wish,
    passed: Passed = lambda *_: None,
) -> Iterator[str]:
    """Writes the takes, and yields a line for each file and each warning; calls ``passed`` with the progress."""
    if out is not None and is_one_file(controls, out):
        if wish.scheduler:
            raise ExportError(
                f"{out}: one file is made by one process; give a folder, or leave out the scheduler"
            )
        from moglow.takes.crowd_file import make_crowd

        yield from make_crowd(controls[0], out, wish, passed)
        return
    planned = plan(controls, out, wish.takes)
    jobs = share(planned, *find_share(wish.shard), whole=wish.rank)
    for job in jobs:  # errors are raised before the work
        check_options(job.target, ["unit"] if wish.unit else [])
    wish.directions.check(
        loop=wish.loop,
        mirror=wish.mirror,
        device=wish.device,
    )
    inputs = (
        *(split_source(job.control)[0] for job in planned),
        *(wish.skeleton, wish.checkpoint, wish.footwork.follow),
        *wish.directions.files,
    )
    refuse_overwriting((place for job in jobs for place in places_of(job, wish)), inputs)
    motion_count = sum(len(job.takes) for job in jobs)
    wish.footwork.check(
        motions=motion_count,
        loop=wish.loop,
        mirror=wish.mirror,
        foot_lock=wish.foot_lock,
        inputs=inputs,
        overwrite=wish.overwrite,
    )
    if wish.footwork.write and not wish.footwork.write.exists():
        wish = replace(wish, overwrite=True)  # for an existing take, none was written
    failures = Failures()
    if wish.scheduler:
        for job in jobs:
            files_of(job, wish)  # errors are raised before the work
        shared = [Path(place) for place in (*inputs[len(planned) :], wish.footwork.ground) if place]
        files = [place for place in shared if place.is_file()]
        yield from make_groups(jobs, wish, make_group, files, passed, failures)
    else:
        yield from make_jobs(jobs, wish, passed, failures)
    if failures.reasons:
        raise summary(failures.by_path(), len(jobs))


def make_group(wish: Wish, group: Group) -> GroupResult:
    """Makes a group of jobs; a task for workers."""
    failures = Failures()
    lines = tuple(make_jobs(group, wish, lambda *_: None, failures, most=1))
    return GroupResult(lines, failures, sum(len(job.takes) for job in group))


def make_jobs(
    jobs: Sequence[Job], wish: Wish, passed: Passed, failures: Failures, *, most: int = MOST_PROCESSES
) -> Iterator[str]:
    """Writes the takes of jobs, yields a line for each file and each warning, and adds what failed to the failures.

    At most ``most`` processes of this machine make the motions.
    """
    model = Checkpoint.read(wish.checkpoint or PRETRAINED)
    temperature = TEMPERATURE if wish.temperature is None else wish.temperature
    sampler = Sampler.of(model, temperature=temperature, device=wish.device)
    skeleton = wish.skeleton or wish.directions.continued
    rig = read_rig(skeleton) if skeleton else None
    common = settings_of(wish, sampler)
    orders: list[Order] = []
    for job in jobs:
        found = files_of(job, wish)
        try:
            ordered = orders_of(job, wish, model, common)
        except ControlError as error:
            failures.unread[job] = str(error)
            continue
        for order in ordered:
            done = None if wish.overwrite else finished_file(order, found)
            if done and not wish.rank:
                yield f"{done[0]}: {THERE}"
            elif not done:
                orders.append(order)
                if order.take == job.takes[0]:
                    yield from (f"warning: {job.control}: {each}" for each in order.warnings)
    orders.sort(key=lambda order: len(order.path))  # motions of a batch should have similar lengths
    for folder in {job.target.parent for job in jobs if job not in failures.unread}:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
    lost: dict[str, str] = {}
    for lines, losing in _shared(orders, wish, sampler, model, rig, passed, most):
        yield from lines
        lost = losing | lost
    failures.lost |= {job: lost[job.control] for job in jobs if job.control in lost}
    if wish.rank:
        for job in (job for job in jobs if job not in failures.reasons):
            with locked(job.target):
                yield from rank(job, list(orders_of(job, wish, model, common)), wish, model)


def _shared(
    orders: Sequence[Order],
    wish: Wish,
    sampler: Sampler,
    model: Checkpoint,
    rig: Clip | None,
    passed: Passed,
    most: int,
) -> Iterator[Written]:
    """Yields the results of `write_in_turn`, in the order of ``orders``; many motions are made by several processes.

    The bytes of a motion do not depend on the number of processes.
    """
    parts = min(most, _parts(orders, wish, sampler))
    if parts == 1:
        yield from write_in_turn(orders, wish, _made(orders, wish, sampler, model, rig), model, passed)
        return

    def work(part: int) -> Iterator[Written]:
        mine = orders[part::parts]
        if isinstance(sampler.model, NativeMoGlow):
            sampler.model.threads = max(1, processors() // parts)
        return write_in_turn(mine, wish, _made(mine, wish, sampler, model, rig), model, lambda *_: None)

    total, so_far = sum(len(order.path) for order in orders), 0
    for order, written in zip(orders, in_turn(work, parts), strict=True):
        so_far += len(order.path)
        passed(so_far, total, 0)
        yield written


def _parts(orders: Sequence[Order], wish: Wish, sampler: Sampler) -> int:
    """Returns the number of processes that make the motions."""
    if not can_copy() or sampler.device != "numpy" or wish.footwork or wish.directions:
        return 1
    many = len(orders) // 2 if sum(len(order.path) for order in orders) >= SHARED else 1
    return max(1, min(MOST_PROCESSES, processors(), many))


def _made(
    orders: Sequence[Order], wish: Wish, sampler: Sampler, model: Checkpoint, rig: Clip | None
) -> "Iterator[tuple[Iterator[Clip], Made | None]]":
    """Yields for each order the blocks of its motion and the object with its figures."""
    tracks = [Track(order.path, order.seed, order.take, order.performer) for order in orders]
    if wish.directions:
        skeleton = rig.skeleton if rig else model.context.encoding.skeleton
        for pinned in wish.directions.motions(
            model,
            tracks,
            temperature=sampler.temperature,
            foot_lock=wish.foot_lock,
            rig=rig,
            ground=wish.footwork.surface(),
            prints=wish.footwork.requested(skeleton),
            implied=any(order.implied for order in orders),
        ):
            wish.footwork.written(pinned.clip, pinned.prints)
            clip = pinned.clip.resample(wish.fps) if wish.fps else pinned.clip
            yield _placed(iter([clip]), wish), pinned
        return
    if wish.footwork:
        for order, track in zip(orders, tracks, strict=True):
            try:
                made = wish.footwork.made(
                    sampler, model, track, rig, foot_lock=wish.foot_lock, implied=order.implied
                )
            except (ClipError, ControlError) as error:
                yield _raising(error), None
                continue
            clip = made.clip.resample(wish.fps) if wish.fps else made.clip
            yield _placed(iter([clip]), wish), made
        return
    if not wish.loop:
        for motion in motions(sampler, model, tracks, foot_lock=wish.foot_lock):
            yield _placed(possible_blocks(_as_wished(motion.blocks, rig, wish)), wish), motion
        return
    from moglow.sampling.loops import make_loop

    for track in tracks:
        try:
            loop = make_loop(sampler, model, track, spec=LOCK, strides=wish.strides, foot_lock=wish.foot_lock)
            lap = loop.finished(rig, wish.fps, in_place=wish.in_place)
            refuse_impossible(lap)
        except (ClipError, ControlError) as error:
            yield _raising(error), None
            continue
        yield _rooted(iter([lap.mirrored() if wish.mirror else lap]), wish), loop


def _raising(error: MoglowError) -> Iterator[Clip]:
    """Returns the blocks of a motion that could not be made: reading them raises the error."""
    yield from ()
    raise error


def _as_wished(blocks: Iterator[Clip], rig: Clip | None, wish: Wish) -> Iterator[Clip]:
    blocks = (block.mirrored() for block in blocks) if wish.mirror else blocks
    blocks = on_rig(blocks, rig)
    return resampled(blocks, wish.fps) if wish.fps else blocks


def _placed(blocks: Iterator[Clip], wish: Wish) -> Iterator[Clip]:
    blocks = (block.in_place() for block in blocks) if wish.in_place else blocks
    return _rooted(blocks, wish)


def _rooted(blocks: Iterator[Clip], wish: Wish) -> Iterator[Clip]:
    return map(on_root, blocks) if wish.root_motion else blocks
