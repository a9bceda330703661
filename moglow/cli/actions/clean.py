"""Implements `moglow clean`: a table or JSON of the damage, the mended file and an HTML page."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from rich.table import Table
from rich.text import Text

from moglow.anatomy.anatomy import read_map
from moglow.bvh.patch import patch_bvh
from moglow.checkpoint import Checkpoint
from moglow.cleaning.damage import in_words
from moglow.cleaning.mend import FoundDamage, Mended, mend
from moglow.cli.extras import missing_extra
from moglow.cli.terminal import cell
from moglow.errors import ExportError, MoglowError
from moglow.formats.export import export
from moglow.formats.read import read_motion
from moglow.motion.clip import Clip
from moglow.sampling.generate import PRETRAINED

if TYPE_CHECKING:
    from moglow.scoring.strangeness import UnlikelyStretch  # loads torch, which the rules do not need

LISTED = "only listed: a model alone is no reason to change a take"


@dataclass(frozen=True, eq=False)
class Cleaning:
    """A take, its damage and the mended result; ``note`` is the reason if no model has scored it."""

    source: Path
    mended: Mended
    unlikely: "tuple[UnlikelyStretch, ...]" = ()
    note: str = ""

    @classmethod
    def of(
        cls, source: Path, *, map_file: Path | None, checkpoint: Path | None, model: bool, seed: int
    ) -> Self:
        clip = read_motion(source, overrides=read_map(map_file) if map_file else {})
        if not model:
            return cls(source, mend(clip))
        try:
            return cls._by_model(source, clip, checkpoint, seed)
        except ModuleNotFoundError as error:
            need = missing_extra(error)
            if need is None or checkpoint:
                raise
            return cls(source, mend(clip), note=f"it needs {need}")

    @classmethod
    def _by_model(cls, source: Path, clip: Clip, checkpoint: Path | None, seed: int) -> Self:
        import torch

        from moglow.sampling.infill import Infill
        from moglow.scoring.strangeness import find_unlikely

        infill = Infill.of(
            Checkpoint.read(checkpoint or PRETRAINED), generator=torch.Generator().manual_seed(seed)
        )
        mended = mend(clip, fill=infill)
        try:
            unlikely = find_unlikely(infill.checkpoint, infill.model, mended.clip)
        except MoglowError as error:
            return cls(source, mended, note=str(error))
        sound = ~mended.changed.max(axis=1)
        return cls(source, mended, tuple(each for each in unlikely if sound[each.start : each.stop].all()))

    def write(self, out: Path) -> None:
        """Writes the mended file."""
        layout = self.mended.clip.skeleton.layout
        if layout is None or not layout.channels:  # no BVH file, so no lines can be kept
            export(self.mended.clip, out)
            return
        if out.suffix.lower() != ".bvh":
            raise ExportError(
                f"{out}: a mended take is a .bvh file; name it so, then moglow export converts it"
            )
        patch_bvh(self.source, self.mended.clip, out, frames=self.mended.source, changed=self.mended.changed)

    def show(self, page: Path) -> None:
        """Writes a page that plays the take before and after cleaning."""
        from moglow_viewer.pages.clip_page import write_page

        name = self.source.stem
        before = replace(self.mended.original, name=f"{name}, before")
        after = replace(self.mended.clip, name=f"{name}, after")
        write_page(
            [before, after], page, figures=[{"warnings": self._lines()}, {}], title=f"{name}: {self.summary}"
        )

    def _lines(self) -> list[str]:
        return [
            f"{in_words(each.damage.start, each.damage.stop)}: {each.damage.why}"
            for each in self.mended.found
        ]

    @property
    def summary(self) -> str:
        """The damage and the repairs, in one line."""
        found = self.mended.found
        mended = sum(not each.left for each in found)
        frames = int(self.mended.changed.max(axis=1).sum())
        unlikely = f", {len(self.unlikely)} unlikely" if self.unlikely else ""
        if not found:
            return f"no damage found{unlikely}"
        return f"damage: {len(found)} found, {mended} mended in {frames} of {len(self.mended.clip)} frames{unlikely}"

    def table(self) -> Table | Text:
        """Returns a table with a line for each damaged stretch."""
        if not self.mended.found and not self.unlikely:
            return cell("no damage found", "green")
        table = Table(title=str(self.source), title_justify="left", box=None, pad_edge=False)
        for heading in ("damage", "frames", "seconds", "where and why", "what is done"):
            table.add_column(heading, justify="right" if heading == "seconds" else "left")
        fps = self.mended.clip.fps
        for each in sorted(self.mended.found, key=lambda each: each.damage.start):
            damage = each.damage
            done = cell(f"left: {each.left}" if each.left else damage.remedy, "yellow" if each.left else "")
            table.add_row(
                damage.kind,
                in_words(damage.start, damage.stop),
                f"{damage.start / fps:.2f}",
                damage.why,
                done,
            )
        for odd in self.unlikely:
            table.add_row(
                "unlikely",
                in_words(odd.start, odd.stop),
                f"{odd.start / fps:.2f}",
                odd.why,
                cell(LISTED, "yellow"),
            )
        return table

    def to_json(self, out: Path | None) -> dict[str, Any]:
        """Returns the damage as a dict for JSON; ``changed`` are frames of the written file."""
        clip, names = self.mended.clip, self.mended.clip.skeleton.names
        return {
            "file": str(self.source),
            "frames": len(self.mended.original),
            "fps": self.mended.original.fps,
            "findings": [_to_json(each, names) for each in self.mended.found],
            "strange": [
                {"start": each.start, "stop": each.stop, "nats": round(each.nats, 1)}
                for each in self.unlikely
            ],
            "note": self.note,
            "out": str(out) if out else None,
            "frames_after": len(clip),
            "fps_after": clip.fps,
            "changed": np.flatnonzero(self.mended.changed.max(axis=1)).tolist(),
        }

    def messages(self, out: Path | None, html: Path | None) -> Iterator[str]:
        """Yields lines that describe the output files."""
        if self.note:
            yield f"not looked at by the model: {self.note}"
        if out:
            yield f"{out}: {self.summary}"
        if html:
            yield f"{html}: {html.stat().st_size / 1000:.0f} kB, open it in any browser"


def _to_json(found: FoundDamage, names: tuple[str, ...]) -> dict[str, Any]:
    damage = found.damage
    return {
        "kind": damage.kind,
        "start": damage.start,
        "stop": damage.stop,
        "joints": [names[joint] for joint in damage.joints],
        "why": damage.why,
        "done": "" if found.left else damage.remedy,
        "left": found.left,
    }
