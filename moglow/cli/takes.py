"""What `moglow generate` does with its options: takes as files, each with a sidecar of figures. Top floor."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from moglow import __version__
from moglow.bvh_read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.clip import Clip
from moglow.control_file import read_control
from moglow.export import export, writer_for
from moglow.generation import PRETRAINED, TEMPERATURE, Take, generate, ranked, styled, within_range
from moglow.retarget import retarget
from moglow.tensorfile import replacing


def make_takes(
    control: str,
    out: Path,
    checkpoint: Path | None,
    *,
    takes: int,
    rank: bool,
    seed: int,
    temperature: float | None,
    style: str | None,
    fps: float | None,
    unit: str | None,
    skeleton: Path | None,
    foot_lock: bool,
    in_place: bool,
    fit: bool,
    strict: bool,
) -> Iterator[str]:
    """Writes the takes and yields a line for each file, and for each warning."""
    writer_for(out)  # a wrong suffix is told before the work, not after it
    file = checkpoint or PRETRAINED
    model = Checkpoint.read(file)
    path = styled(read_control(control, fps=model.context.fps), style)
    path, warnings = within_range(model, path, fit=fit, strict=strict)
    yield from (f"warning: {each}" for each in warnings)
    temperature = TEMPERATURE if temperature is None else temperature
    made = generate(
        model, path, seed=seed, takes=takes, temperature=temperature, foot_lock=foot_lock, name=out.stem
    )
    rig = read_bvh(skeleton) if skeleton else None
    about = {
        "moglow": __version__,
        "model": file.name,
        "model_sha256": hashlib.sha256(Path(file).read_bytes()).hexdigest() if file.is_file() else None,
        "control": control,
        "seed": seed,
        "temperature": temperature,
        "style": style,
        "foot_lock": foot_lock,
        "axes": "Y up, +Z forward",
        "unit": "m" if out.suffix != ".bvh" else unit or "cm",
        "warnings": warnings,
    }
    for place, take in enumerate(ranked(list(made)) if rank else made, start=1):
        target = out if takes == 1 else out.with_stem(f"{out.stem}_{place:0{len(str(takes))}d}")
        clip = _finished(take.clip, rig, fps=fps, in_place=in_place)
        export(clip, target, **({"unit": unit} if unit else {}))
        sidecar = {**about, "fps": clip.fps, "frames": len(clip), **take.figures}
        with replacing(target.with_suffix(".json")) as written:
            written.write(json.dumps(sidecar, indent=2).encode())
        yield _line(target, take, clip)


def _finished(clip: Clip, rig: Clip | None, *, fps: float | None, in_place: bool) -> Clip:
    clip = retarget(clip, rig.skeleton, like=rig, keep_path=True) if rig else clip
    clip = clip.resample(fps) if fps else clip
    return clip.in_place() if in_place else clip


def _line(target: Path, take: Take, clip: Clip) -> str:
    error = take.figures["path_error_m"]["mean"]
    return (
        f"{target}: {clip.duration:.1f} s at {clip.fps:g} fps, path error {100 * error:.1f} cm, "
        f"foot slide {100 * take.slide.mean:.1f} cm/s ({100 * take.slide_before.mean:.1f} before the foot lock)"
    )
