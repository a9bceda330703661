"""Implements `moglow clean` for a folder: each file is cleaned as if alone, and a table lists the files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from moglow.cleaning.inspect import motion_files
from moglow.cli.actions.clean import Cleaning
from moglow.cli.terminal import cell
from moglow.errors import ExportError, MoglowError
from moglow.files.atomic import refuse_overwriting
from moglow.formats.read import files_of
from moglow.workers.workers import Workers


@dataclass(frozen=True)
class FolderOrder:
    """The settings that all files of a folder share."""

    map_file: Path | None
    checkpoint: Path | None
    model: bool
    seed: int


@dataclass(frozen=True)
class CleanedFile:
    """The result of one file: the values for JSON and a line, or the error."""

    source: Path
    out: Path | None
    found: dict[str, Any]
    summary: str = ""
    note: str = ""
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns the values of `Cleaning.to_json`, or the file and its error."""
        return {"file": str(self.source), "error": self.error} if self.error else self.found


def targets(source: Path, out: Path | None) -> list[tuple[Path, Path | None]]:
    """Returns the motion files below a folder and the mended file of each in the folder ``out``.

    A BVH file keeps its name; ``pack.glb#Walk`` becomes ``pack.glb_Walk.bvh``. Raises `ExportError` for an output that
    is a file or one of the inputs.
    """
    files = motion_files(source)
    if out is None:
        return [(file, None) for file in files]
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out}: is a file; give a folder for the files of a folder")
    pairs: list[tuple[Path, Path | None]] = []
    for file in files:
        place = out / file.relative_to(source)
        bvh = file.suffix.lower() == ".bvh"
        pairs.append((file, place if bvh else place.with_name(f"{place.name.replace('#', '_')}.bvh")))
    refuse_overwriting([place for _, place in pairs if place], (file for file, _ in pairs))
    return pairs


def clean_folder(
    pairs: Sequence[tuple[Path, Path | None]], order: FolderOrder, workers: Workers
) -> Iterator[CleanedFile]:
    """Cleans files and yields their results in order; a file that cannot be used has an error."""
    yield from workers.results(clean_file, order, pairs, lambda pair: files_of(pair[0]))


def clean_file(order: FolderOrder, pair: tuple[Path, Path | None]) -> CleanedFile:
    """Cleans one file; a task for workers."""
    source, out = pair
    try:
        cleaning = Cleaning.of(
            source, map_file=order.map_file, checkpoint=order.checkpoint, model=order.model, seed=order.seed
        )
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            cleaning.write(out)
    except MoglowError as error:
        return CleanedFile(source, out, {}, error=" ".join(str(error).split()))
    return CleanedFile(source, out, cleaning.to_json(out), cleaning.summary, cleaning.note)


def folder_table(found: Sequence[CleanedFile], source: Path) -> RenderableType:
    """Returns a table with a line for each file, followed by a summary."""
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for heading in ("frames", "damage", "unlikely", "changed"):
        table.add_column(heading, justify="right")
    table.add_column("what", overflow="fold")
    for each in found:
        name, known = str(each.source.relative_to(source)), each.found
        if each.error:
            table.add_row(name, "", "", "", "", cell(each.error, "red"))
            continue
        counts = (known["frames"], len(known["findings"]), len(known["strange"]), len(known["changed"]))
        kinds = ", ".join(dict.fromkeys(finding["kind"] for finding in known["findings"]))
        table.add_row(name, *map(str, counts), cell(kinds or each.note, "yellow"))
    useless = sum(bool(each.error) for each in found)
    damaged = sum(bool(each.found.get("findings")) for each in found)
    written = sum(each.out is not None and not each.error for each in found)
    sound = f"{len(found) - useless - damaged} undamaged, {damaged} damaged, {useless} unusable"
    return Group(table, cell(f"{len(found)} files: {sound}, {written} written", "bold"))
