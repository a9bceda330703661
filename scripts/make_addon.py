"""Packs the Blender add-on: `python scripts/make_addon.py [-o moglow.blender.inside.zip]`.

It is a zip file for Blender 4.2 and newer: a manifest, an entry point, and a wheel with the modules of moglow that the
add-on imports and the shipped weights. The same source tree gives the same bytes.
"""

import argparse
import ast
import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from moglow import __version__
from moglow.files.atomic import replacing
from moglow.sampling.generate import PRETRAINED

ROOT = Path(__file__).resolve().parents[1]
ENTRY = "moglow.blender.inside.addon"
WHEEL = f"moglow-{__version__}-py3-none-any.whl"
DATE = (
    2020,
    1,
    1,
    0,
    0,
    0,
)  # of every file in the archives, which therefore depend only on the files' content


def main() -> None:
    """Writes the zip and prints its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path(f"moglow.blender.inside-{__version__}.zip"))
    out: Path = parser.parse_args().out
    make_addon(out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, for Blender 4.2 and newer")


def make_addon(out: Path) -> None:
    """Writes the add-on's zip."""
    extension = ROOT / "moglow" / "blender" / "extension"
    manifest = (extension / "blender_manifest.toml").read_text("utf-8")
    files = {
        "blender_manifest.toml": manifest.format(version=__version__, wheel=WHEEL).encode(),
        "__init__.py": (extension / "__init__.py").read_bytes(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        f"wheels/{WHEEL}": wheel(wheel_files()),
    }
    with replacing(out) as file:
        file.write(archive(files))


def wheel_files() -> dict[str, bytes]:
    """Returns what the add-on needs, by its path in the wheel: modules, C sources beside them, weights, model card."""
    sources = {source for module in modules(ENTRY) if (source := source_of(module))}
    kernels = {kernel for folder in {source.parent for source in sources} for kernel in folder.glob("*.c")}
    files = {file.relative_to(ROOT).as_posix(): file.read_bytes() for file in sources | kernels}
    for path in (PRETRAINED, PRETRAINED.with_suffix(".md")):
        files[f"moglow/pretrained/{path.name}"] = path.read_bytes()
    return files


def modules(start: str) -> set[str]:
    """Returns a module and all modules of moglow that its import loads; imports inside functions are left out.

    >>> {"moglow.sampling.sampler", "moglow.blender.inside.panel"} < modules(ENTRY),
    "moglow.sampling.fast.torch_steps" in modules(ENTRY)
    (True, False)
    """
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        source = source_of(name) if name not in found else None
        if source is None:
            continue
        found.add(name)
        waiting.append(name.rpartition(".")[0])
        for node in ast.parse(source.read_text("utf-8")).body:
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def source_of(module: str) -> Path | None:
    """Returns the file of a module of moglow, or None for another module."""
    if module.partition(".")[0] != "moglow":
        return None
    path = ROOT / module.replace(".", "/")
    files = (path.with_name(path.name + ".py"), path / "__init__.py")
    return next((file for file in files if file.exists()), None)


def wheel(files: Mapping[str, bytes]) -> bytes:
    """Returns a wheel with these files and the metadata of a wheel."""
    about = f"moglow-{__version__}.dist-info"
    described = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: moglow\nVersion: {__version__}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: make_addon\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},{digest(data)},{len(data)}" for name, data in sorted(described.items())]
    record.append(f"{about}/RECORD,,")
    return archive({**described, f"{about}/RECORD": ("\n".join(record) + "\n").encode()})


def digest(data: bytes) -> str:
    """Returns a file's hash in the form of a wheel's RECORD."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """Returns a zip of files, in the order of their names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(files):
            packed.writestr(zipfile.ZipInfo(name, DATE), files[name], zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


if __name__ == "__main__":
    main()
