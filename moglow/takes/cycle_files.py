"""The set of `moglow.takes.cycle_set` as files: each motion with and without root motion, and a list of the motions."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moglow import __version__
from moglow.checkpoint import Checkpoint
from moglow.errors import ExportError, MoglowError
from moglow.files.atomic import refuse_overwriting, replacing
from moglow.files.numbers import read_number
from moglow.formats.export import EXPORTERS, check_options, export
from moglow.motion.clip import Clip
from moglow.sampling.sampler import Sampler
from moglow.takes.cycle_set import GAITS, cycle_set

LIST = "cycles.json"
IN_PLACE = "in_place"
"""The folder of the motions without root motion."""


def write_set(
    out: Path,
    sampler: Sampler,
    checkpoint: Checkpoint,
    *,
    suffix: str = ".bvh",
    rig: Clip | None = None,
    fps: float | None = None,
    unit: str | None = None,
    seed: int = 0,
    speeds: Mapping[str, float] | None = None,
    style: str | None = None,
    performer: str | None = None,
    overwrite: bool = False,
    inputs: tuple[Path | None, ...] = (),
) -> Iterator[str]:
    """Writes a set to a folder, and yields a line for each motion and for each omitted one.

    The list is written last, so that a folder with a list is complete. A folder with other files of these names raises
    an error without ``overwrite``.
    """
    if suffix not in EXPORTERS:
        raise MoglowError(f"{suffix}: no such format; use one of {', '.join(sorted(EXPORTERS))}")
    options: dict[str, Any] = {"unit": unit} if unit else {}
    check_options(out / f"walk{suffix}", options)
    _check_folder(out, suffix, overwrite)
    (out / IN_PLACE).mkdir(parents=True, exist_ok=True)
    (out / LIST).unlink(missing_ok=True)
    entries, left_out = [], []
    pieces = cycle_set(sampler, checkpoint, seed=seed, speeds=speeds, style=style, performer=performer)
    for piece in pieces:
        if isinstance(piece, str):
            left_out.append(piece)
            yield piece
            continue
        files = {"file": out / f"{piece.name}{suffix}", "in_place": out / IN_PLACE / f"{piece.name}{suffix}"}
        refuse_overwriting(files["file"], inputs)
        frames = 0
        for key, file in files.items():
            clip = piece.motion.finished(rig, fps, in_place=key == "in_place")
            frames, rate = len(clip), clip.fps
            export(clip, file, **options)
        entry = piece.entry()
        named = {key: file.relative_to(out).as_posix() for key, file in files.items()}
        entries.append({"name": entry.pop("name"), **named, "fps": rate, "frames": frames, **entry})
        yield f"{files['file']}: {piece.kind}, {piece.path.duration:.2f} s"
    about = {
        "moglow": __version__,
        "seed": seed,
        "temperature": sampler.temperature,
        "style": style,
        "performer": performer,
        "model_fps": sampler.fps,
        "axes": "Y up, +Z forward; left, and a turn to the left, are positive",
        "frames_are": "the last frame of a motion is the first of the one that follows it; a cycle follows itself",
        "joints_are": "frames of from and to count at model_fps",
        "left_out": left_out,
    }
    _write_list(out / LIST, about, entries)
    yield f"{out / LIST}: {len(entries)} motions, {len(left_out)} left out"


def speeds_of(given: tuple[str, ...]) -> dict[str, float]:
    """Returns speeds by gait, given texts such as ``walk=1.2``.

    >>> speeds_of(("walk=1.2", "run=3.5"))
    {'walk': 1.2, 'run': 3.5}
    """
    out = {}
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in GAITS:
            raise MoglowError(f"speed {text}: there is no gait {name!r}; known are {', '.join(GAITS)}")
        out[name] = read_number(value)
        if not 0.2 <= out[name] <= 12:
            raise MoglowError(f"speed {text}: give {name}= and 0.2 to 12 metres a second")
    return out


def _check_folder(out: Path, suffix: str, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out}: is a file; a set is a folder, give another name")
    if overwrite or (out / LIST).exists():
        return
    for folder in (out, out / IN_PLACE):
        there = next((each for each in sorted(folder.glob(f"*{suffix}"))), None) if folder.is_dir() else None
        if there is not None:
            raise ExportError(
                f"{out}: holds {there.name} of another program; give a new folder, or replace it",
                setting="overwrite",
            )


def _write_list(file: Path, about: Mapping[str, Any], entries: list[dict[str, Any]]) -> None:
    """Writes a line for each motion."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    clips = ",\n".join(f"    {json.dumps(entry)}" for entry in entries)
    lines.append(f'  "clips": [\n{clips}\n  ]')
    with replacing(file) as whole:
        whole.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())
