"""All figures of a crowd in one file: ``moglow generate --control crowd.csv -o crowd.glb``, or ``.usda``."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from moglow.checkpoint import Checkpoint
from moglow.errors import ClipError, ControlError, ExportError
from moglow.files.atomic import check_output, refuse_overwriting
from moglow.files.locks import locked
from moglow.formats.export import export_crowd
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined, resampled
from moglow.paths.crowds import figures_of, read_figure
from moglow.paths.csv_table import read_table
from moglow.sampling.generate import PRETRAINED, TEMPERATURE, motions
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import possible_blocks
from moglow.takes.jobs import Job
from moglow.takes.orders import Order, Wish, named, orders_of, settings_of
from moglow.takes.single import on_rig, read_rig


def make_crowd(
    control: str, out: Path, wish: Wish, passed: Callable[[int, int, int], None] = lambda *_: None
) -> Iterator[str]:
    """Writes the figures of a crowd file as one file, each beginning at its time, and yields lines about it."""
    _check(out, wish)
    check_output(out)
    refuse_overwriting([out], (Path(control), wish.skeleton, wish.checkpoint))
    if out.exists() and not wish.overwrite:
        raise ExportError(f"{out}: is there already; give another name, or replace it", setting="overwrite")
    model = Checkpoint.read(wish.checkpoint or PRETRAINED)
    temperature = TEMPERATURE if wish.temperature is None else wish.temperature
    sampler = Sampler.of(model, temperature=temperature, device=wish.device)
    rig, common = read_rig(wish.skeleton) if wish.skeleton else None, settings_of(wish, sampler)
    orders: list[tuple[str, Order]] = []
    for figure in figures_of(control):
        job = Job(f"{control}#{figure}", out, (0,), 1)
        (order,) = orders_of(job, wish, model, common)
        yield from (f"warning: {job.control}: {each}" for each in order.warnings)
        orders.append((figure, order))
    orders.sort(key=lambda each: len(each[1].path))  # motions of a batch should have similar lengths
    begins = {figure: _begin(f"{control}#{figure}") for figure, _ in orders}
    first, total, done = min(begins.values()), sum(len(order.path) for _, order in orders), 0
    slides: list[float] = []

    def figures() -> Iterator[tuple[str, float, Clip]]:
        nonlocal done
        tracks = [Track(order.path, order.seed, order.take, order.performer) for _, order in orders]
        made = motions(sampler, model, tracks, foot_lock=wish.foot_lock)
        for (figure, order), motion in zip(orders, made, strict=True):
            try:
                blocks = on_rig(possible_blocks(motion.blocks), rig)
                clip = joined(resampled(blocks, wish.fps) if wish.fps else blocks)
            except (ClipError, ControlError) as error:
                raise ControlError(named(error, f"{control}#{figure}")) from error
            clip = clip.mirrored() if wish.mirror else clip
            slides.append(motion.measured().slide.mean)
            done += len(order.path)
            passed(done, total, 0)
            yield figure, begins[figure] - first, replace(clip, name=figure)

    out.parent.mkdir(parents=True, exist_ok=True)
    with locked(out):
        count = export_crowd(figures(), out)
    yield (
        f"{out}: {count} figures in one file, {total} frames, "
        f"foot slide {100 * sum(slides) / len(slides):.1f} cm/s"
    )


def _check(out: Path, wish: Wish) -> None:
    """Raises an error for options that need a file for each figure."""
    given = {
        "takes": wish.takes > 1,
        "rank": wish.rank,
        "loop": wish.loop,
        "in place": wish.in_place,
        "root motion": wish.root_motion,
        "unit": wish.unit is not None,
        "shard": wish.shard is not None,
        "ground and footprints": bool(wish.footwork),
        "pins, reaches, looks or a continued clip": bool(wish.directions),
    }
    for option, value in given.items():
        if value:
            raise ExportError(
                f"{out}: {option}: this needs a file for each figure of a crowd; give a folder, or a pattern such as "
                f"'{out.stem}/{{}}{out.suffix}'"
            )


def _begin(control: str) -> float:
    """Returns the time in seconds of the first row of a figure; 0 for a path without times."""
    times = read_table(control, read_figure).columns.get("t")
    return 0.0 if times is None else float(times[0])
