"""One take from Python: `generate`, with the defaults of `moglow generate`."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moglow.checkpoint import Checkpoint, real_figures
from moglow.errors import ControlError
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.motion.retarget import retarget_blocks
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import (
    HOTTEST,
    LOCK,
    PRETRAINED,
    TEMPERATURE,
    Origin,
    Take,
    motions,
    styled,
    within_range,
)
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import possible_blocks
from moglow.takes.directions import read_whole

if TYPE_CHECKING:  # most motion needs none of them
    from moglow.directing.pins import Direction
    from moglow.footsteps.footprints import Footprint, Footprints
    from moglow.ground.surface import Ground


def pretrained() -> Checkpoint:
    """Returns the model inside the package."""
    return Checkpoint.read(PRETRAINED)


def generate(
    control: str | Path | ControlPath | None = None,
    *,
    seed: int = 0,
    checkpoint: Checkpoint | str | Path | None = None,
    style: str | None = None,
    performer: str | None = None,
    temperature: float = TEMPERATURE,
    skeleton: Clip | str | Path | None = None,
    foot_lock: bool = True,
    loop: bool = False,
    strides: int | None = None,
    ground: "str | Ground | None" = None,
    footprints: "str | Path | Sequence[Footprint] | None" = None,
    as_asked: bool = False,
    pins: "Sequence[Direction]" = (),
    continued: Clip | str | Path | None = None,
) -> Take:
    """Returns motion that follows a path: the motion that `moglow generate` writes with the same options.

    Args:
        control: a preset such as ``"circle:r=2"``, a CSV file, or a path; by default a figure of eight, or the path
            implied by the footprints.
        seed: the same seed gives the same motion.
        checkpoint: a trained model or its file; by default the model inside the package.
        style: a style of the model; by default its default style.
        performer: a performer of the model, or ``"any"``; by default its default performer.
        temperature: 0 is the calmest, 1 is as varied as the data.
        skeleton: a motion file, or a clip read from one, to whose skeleton the motion is retargeted; by default the
            model's.
        foot_lock: whether planted feet are held in place.
        loop: whether the motion is a loop, whose last frame equals the first.
        strides: the number of strides of a loop; the path must have a constant velocity.
        ground: the ground below the figure, such as ``"stairs:rise=0.17,run=0.29,steps=8"``, a height map or a mesh.
        footprints: a file, or values, with the times and places of the feet's contacts. Those that are near to the feet
            of a pin are moved to them; others that contradict it are an error.
        as_asked: whether a path beyond the model's range is followed at its own speed; otherwise it is slowed down.
        pins: poses, points and looks, as `Pin`, `Reach` and `Look`.
        continued: a motion file or a clip that the motion continues from its last frames, along the path moved to its
            end.

    >>> take = generate("line:length=1", seed=1)
    >>> take.clip.fps, round(take.figures["foot_slide_m_s"]["written"]["median"], 3)
    (30.0, 0.0)
    """
    given = locals().copy()
    _check(seed, temperature, strides)
    if checkpoint is None:
        model = pretrained()
    else:
        model = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint.read(Path(checkpoint))
    fps = model.context.fps
    rig = read_rig(skeleton) if skeleton is not None else None
    body = rig.skeleton if rig else model.context.encoding.skeleton
    requested: Footprints | None = None
    implied: ControlPath | None = None
    if footprints is not None:
        from moglow.footsteps.implied import implied_path
        from moglow.takes.footed import as_prints

        requested = as_prints(footprints, body)
        implied = implied_path(requested, body, fps) if requested and control is None else None
    if control is None:
        path = implied or read_path("figure8", fps=fps)
    else:
        path = control if isinstance(control, ControlPath) else read_path(control, fps=fps)
    path, warnings = within_range(model, styled(path, style).resample(fps), as_asked=as_asked, strict=False)
    sampler, track = (
        Sampler.of(model, temperature=temperature),
        Track(path, seed, 0, model.context.cast(performer, seed, 0)),
    )
    again = partial(generate, **given | {"checkpoint": model})
    origin = Origin(
        tuple(model.context.styles), style, temperature, lambda s, t: again(style=s, temperature=t)
    )
    notes = (*path.notes, *warnings)
    about: dict[str, Any] = {"real": real_figures(model), "warnings": notes, "origin": origin}
    if pins or continued is not None:
        if loop:
            raise ControlError("pins and a continued clip do not go with a loop; leave one of them out")
        if (ground is not None or requested is not None) and not foot_lock:
            raise ControlError("a ground and footprints need locked feet; leave out foot_lock")
        from moglow.directing.pinned import Directing  # the import takes a while, and few motions need it
        from moglow.ground.reading import read_ground

        clip = read_whole(continued) if isinstance(continued, str | Path) else continued
        surface = read_ground(ground) if ground is not None else None
        made = Directing(model, temperature, foot_lock).make(
            path,
            pins,
            seed=seed,
            performer=track.performer,
            rig=rig or clip,
            continued=clip,
            ground=surface,
            prints=requested,
            implied=implied is not None,
        )
        prices = tuple(price.figures for price in made.prices)
        about |= {"footprints": made.prints, "directed": made.more}
        if surface:
            about["directed"] = {**made.more, "ground": surface.name}
        return Take(made.clip, seed, track.take, made.path, made.measured, pins=prices, **about)
    if ground is not None or requested is not None:
        if loop or not foot_lock:
            raise ControlError(
                "a ground and footprints need locked feet and no loop; leave out loop and foot_lock"
            )
        from moglow.ground.reading import read_ground
        from moglow.takes.footed import footed

        surface = read_ground(ground) if ground is not None else None
        alone = control is None and requested is not None
        done = footed(sampler, model, track, requested, surface, rig, implied=alone)
        about["directed"] = {**done.more, **({"ground": surface.name} if surface else {})}
        return Take(done.clip, seed, track.take, done.path, done.measured, footprints=done.prints, **about)
    if loop:
        from moglow.sampling.loops import make_loop

        lap = make_loop(sampler, model, track, spec=LOCK, strides=strides, foot_lock=foot_lock)
        return Take(lap.finished(rig), seed, track.take, lap.path, lap.measured, lap=lap.lap, **about)
    motion = next(motions(sampler, model, [track], foot_lock=foot_lock))
    clip = joined(possible_blocks(on_rig(motion.blocks, rig)))  # read first, to complete the figures
    return Take(clip, seed, track.take, path, motion.measured(), **about)


def _check(seed: int, temperature: float, strides: int | None) -> None:
    """Raises a ControlError for values that no motion can be made with."""
    if seed < 0:
        raise ControlError(f"seed is {seed}; give a whole number, at least 0")
    if not 0 <= temperature <= HOTTEST:
        raise ControlError(f"temperature is {temperature:g}; give a number from 0 to {HOTTEST:g}")
    if strides is not None and strides < 0:
        raise ControlError(f"strides is {strides}; give a whole number, at least 1")


def read_rig(skeleton: Clip | str | Path) -> Clip:
    """Returns the clip of a motion file to whose skeleton motion is retargeted. A clip is returned unchanged."""
    if isinstance(skeleton, Clip):
        return skeleton
    from moglow.formats.read import read_motion  # the import takes a while, and only a rig needs it

    return read_motion(skeleton, pose_only=True)


def on_rig(blocks: Iterator[Clip], rig: Clip | None) -> Iterator[Clip]:
    """Returns blocks of motion, retargeted to the skeleton of ``rig`` if there is one."""
    return retarget_blocks(blocks, rig.skeleton, like=rig, keep_path=True) if rig else blocks
