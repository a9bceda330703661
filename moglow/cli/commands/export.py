"""`moglow export`: a motion file in another format, at another rate, place or skeleton."""

from pathlib import Path

import click

from moglow.cli.options import RATE
from moglow.cli.terminal import say
from moglow.files.numbers import read_whole_number

EXAMPLE = """\b
Examples:
  moglow export walk.bvh walk.glb
  moglow export walk.bvh game.bvh --fps 60 --unit m --in-place
  moglow export walk.bvh mine.bvh --skeleton my_rig.bvh
  moglow export raw.bvh clean.bvh --despike --recorded-at 120
  moglow export long.bvh step.csv --frames 120:180 --at-origin
"""


def read_frames(ctx: click.Context, option: click.Parameter, text: str | None) -> slice:
    """A range of frames as Python writes it: ``10:200``, ``:100``, ``-30:``; everything by default."""
    try:
        start, stop = (_frame(part) for part in (text or ":").split(":"))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no range of frames; write it as 10:200, :100 or -30:"
        ) from None
    return slice(start, stop)


def _frame(text: str) -> int | None:
    """The number of a frame; None where nothing is written."""
    if not text.strip():
        return None
    number = read_whole_number(text)
    if number is None:
        raise ValueError(text)
    return number


@click.command(epilog=EXAMPLE)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--frames", metavar="A:B", callback=read_frames, help="Keeps frames A to B of IN, B not included."
)
@click.option(
    "--skeleton", type=click.Path(path_type=Path), help="Retargets onto the skeleton of this BVH file."
)
@click.option(
    "--map", "source_map", type=click.Path(path_type=Path), help="Names the roles of IN's joints (TOML)."
)
@click.option("--skeleton-map", type=click.Path(path_type=Path), help="The same for --skeleton.")
@click.option("--despike", is_flag=True, help="Mends rotations that jump away and come back within 0.1 s.")
@click.option(
    "--recorded-at",
    type=RATE,
    metavar="FPS",
    help="The true rate of IN, where its frame time is wrong; moglow inspect finds it.",
)
@click.option("--fps", type=RATE, help="Resamples to this many frames a second.")
@click.option("--at-origin", is_flag=True, help="Starts above the origin, facing +Z.")
@click.option("--in-place", is_flag=True, help="Holds the hips above the origin.")
@click.option(
    "--unit", type=click.Choice(["cm", "m"]), help="Unit of a BVH file; other formats are in metres."
)
@click.option(
    "--verbatim/--portable",
    default=None,
    help="A BVH file as IN spells its skeleton (the default if that can be), or as every program reads it.",
)
def command(
    source: Path,
    out: Path,
    frames: slice,
    skeleton: Path | None,
    source_map: Path | None,
    skeleton_map: Path | None,
    despike: bool,
    recorded_at: float | None,
    fps: float | None,
    at_origin: bool,
    in_place: bool,
    unit: str | None,
    verbatim: bool | None,
) -> None:
    """Converts a BVH file to BVH, GLB, NPZ or CSV.

    The suffix of OUT selects the format: .bvh; .glb, an animated body for Blender, browsers and game engines; .npz,
    arrays for numpy; .csv, the joints' world positions in metres.
    """
    from moglow.anatomy.anatomy import read_map
    from moglow.bvh.read import read_bvh
    from moglow.cleaning.frame_rate import unmislabel_fps
    from moglow.cleaning.spike import despike as despiked
    from moglow.files.atomic import refuse_overwriting
    from moglow.formats.export import export
    from moglow.motion.retarget import retarget

    refuse_overwriting(out, (source, skeleton, source_map, skeleton_map))
    clip = read_bvh(source, overrides=read_map(source_map) if source_map else {})[frames]
    clip = unmislabel_fps(clip, recorded_at) if recorded_at else clip
    clip = despiked(clip) if despike else clip
    if skeleton:
        rig = read_bvh(skeleton, overrides=read_map(skeleton_map) if skeleton_map else {})
        clip = retarget(clip, rig.skeleton, like=rig)
    clip = clip.resample(fps) if fps else clip
    clip = clip.at_origin() if at_origin else clip
    clip = clip.in_place() if in_place else clip
    asked = {"unit": unit, "verbatim": verbatim}
    export(clip, out, **{name: value for name, value in asked.items() if value is not None})
    say(f"{out}: {len(clip)} frames at {clip.fps:g} fps, {len(clip) / clip.fps:.2f} s")
