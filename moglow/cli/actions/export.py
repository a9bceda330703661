"""Implements `moglow export`: converts one clip, or several into one file."""

from pathlib import Path

from moglow.anatomy.anatomy import read_map
from moglow.cleaning.frame_rate import unmislabel_fps
from moglow.cleaning.spike import despike as despiked
from moglow.errors import ExportError
from moglow.files.atomic import refuse_overwriting
from moglow.formats.export import export, export_pack, root_options
from moglow.formats.read import read_motion, split_name
from moglow.motion.clip import Clip
from moglow.motion.retarget import retarget
from moglow.motion.root_motion import on_root


def convert(
    sources: tuple[Path, ...],
    out: Path,
    *,
    frames: slice,
    skeleton: Path | None,
    source_map: Path | None,
    skeleton_map: Path | None,
    despike: bool,
    recorded_at: float | None,
    fps: float | None,
    at_origin: bool,
    in_place: bool,
    root_motion: bool,
    mirror: bool,
    unit: str | None,
    verbatim: bool | None,
) -> str:
    """Writes the file and returns a line that describes it."""
    refuse_overwriting(
        out, (*(split_name(source)[0] for source in sources), skeleton, source_map, skeleton_map)
    )
    overrides = read_map(source_map) if source_map else {}
    rig = None
    if skeleton:
        rig = read_motion(skeleton, overrides=read_map(skeleton_map) if skeleton_map else {}, pose_only=True)

    def converted(source: Path) -> Clip:
        clip = read_motion(source, overrides=overrides)[frames]
        clip = unmislabel_fps(clip, recorded_at) if recorded_at else clip
        clip = despiked(clip) if despike else clip
        clip = retarget(clip, rig.skeleton, like=rig) if rig else clip
        clip = clip.mirrored() if mirror else clip
        clip = clip.resample(fps) if fps else clip
        clip = clip.at_origin() if at_origin else clip
        clip = clip.in_place() if in_place else clip
        return on_root(clip) if root_motion else clip

    clips = [converted(source) for source in sources]
    given = {"unit": unit, "verbatim": verbatim, **root_options(out, root_motion)}
    options = {name: value for name, value in given.items() if value is not None}
    if len(clips) == 1:
        export(clips[0], out, **options)
        clip = clips[0]
        return f"{out}: {len(clip)} frames at {clip.fps:g} fps, {len(clip) / clip.fps:.2f} s"
    if options:
        raise ExportError(
            f"{out}: several clips in one file have no option {next(iter(options))!r}; leave it out"
        )
    names = export_pack(clips, out)
    return f"{out}: {len(names)} animations: {', '.join(names)}"
