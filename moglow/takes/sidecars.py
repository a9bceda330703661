"""The .json beside each motion: what it was made of, and its figures."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moglow.errors import FileFormatError
from moglow.files.atomic import replacing


def read_sidecar(file: Path) -> dict[str, Any]:
    """What the sidecar of a motion file says."""
    said: dict[str, Any] = json.loads(file.with_suffix(".json").read_text("utf-8"))
    return said


def matches(file: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a file is there, whole, and made with these settings."""
    try:
        said = read_sidecar(file)
        same = all(said.get(key) == value for key, value in settings.items())
        return same and said["bytes"] == file.stat().st_size
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def describe(target: Path, figures: Mapping[str, Any]) -> str:
    """A line on a motion that was written."""
    slide, nats = figures["foot_slide_m_s"], figures["log_likelihood_nats"]["mean"]
    return (
        f"{target}: {(figures['frames'] - 1) / figures['fps']:.1f} s at {figures['fps']:g} fps, "
        f"path error {100 * figures['path_error_m']['mean']:.1f} cm, foot slide "
        f"{100 * slide['written']['mean']:.1f} cm/s ({100 * slide['sampled']['mean']:.1f} before the foot lock)"
        + (f", {nats:.0f} nats a frame" if nats is not None else "")
    )


def write_sidecar(file: Path, figures: Mapping[str, Any]) -> None:
    """Writes a line for each entry: long lists stay on one."""
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in figures.items())
    with replacing(file) as written:
        written.write(f"{{\n{lines}\n}}\n".encode())


def digest(content: bytes) -> str:
    """What tells one content from another."""
    return hashlib.sha256(content).hexdigest()


def read_figures(clip_file: str | Path) -> dict[str, Any]:
    """The sidecar beside a motion file: ``walk.json`` for ``walk.bvh``; nothing where there is none."""
    sidecar = Path(clip_file).with_suffix(".json")
    if not sidecar.is_file():
        return {}
    try:
        read = json.loads(sidecar.read_text("utf-8"))
    except ValueError as error:
        raise FileFormatError(
            f"{sidecar}: is no JSON ({error}); it should be what moglow generate writes, remove or rename it"
        ) from error
    return read if isinstance(read, dict) else {}
