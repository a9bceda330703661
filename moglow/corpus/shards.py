"""The shards of a corpus: files of frames, and an index beside them with everything else. Needs numpy alone.

``big.corpus`` is the index, ``big.corpus.shards/0001-3fa9c1d2e4f5.shard`` its first shard. A shard is named after its
content, so that a new index replaces an old one in one step: until then, the old index still has all of its shards.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from moglow.corpus.normalizer import Floats
from moglow.errors import CorpusError, ExportError, FileFormatError, MoglowError
from moglow.files.descriptions import parse_json
from moglow.files.tables import from_table
from moglow.files.tensors import InPieces, read_digest, read_metadata, read_tensors, write_tensors

FORMAT = "moglow-corpus"
INDEX = "moglow-corpus-index"
SHARD = "moglow-corpus-shard"
VERSION = "1"
NAME = re.compile(r"\d{4,}-[0-9a-f]{12}\.shard")


@dataclass(frozen=True)
class Shard:
    """An entry of an index: the name of a file, its number of frames and its digest."""

    file: str
    frames: int
    digest: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.file):
            raise ValueError(f"file is {self.file!r}; expected a name such as 0001-3fa9c1d2e4f5.shard")


def folder_of(index: Path) -> Path:
    """Returns the folder of the shards of an index.

    >>> folder_of(Path("big.corpus")).as_posix()
    'big.corpus.shards'
    """
    return index.with_name(f"{index.name}.shards")


def refuse_replacing(output: Path) -> None:
    """Raises `ExportError` if there is a file with content at the place of a corpus that is not a corpus."""
    try:
        if not output.is_file() or not output.stat().st_size:
            return
        found = read_metadata(output).get("format")
    except FileFormatError:
        found = None
    if found not in (FORMAT, INDEX):
        raise ExportError(
            f"{output}: is there and is no corpus, expected a new name or a corpus; give another name, or remove it"
        )


def files_of(corpus: Path) -> list[Path]:
    """Returns the file of a corpus, and its shards if it is an index."""
    shards = (file for file in folder_of(corpus).glob("*.shard") if NAME.fullmatch(file.name))
    return [corpus, *sorted(shards)]


def size_of(corpus: Path) -> int:
    """Returns the size in bytes of a corpus, with its shards if it is an index."""
    return sum(file.stat().st_size for file in files_of(corpus))


def write_shard(folder: Path, number: int, pose: Floats | InPieces, control: Floats | InPieces) -> Shard:
    """Writes shard ``number``, from 0, to a folder; the same frames give the same name and bytes."""
    writing = folder / f"{number + 1:04d}.writing"
    arrays = {"pose": pose, "control": control}
    digest = write_tensors(writing, arrays, {"format": SHARD, "version": VERSION})
    shard = Shard(f"{number + 1:04d}-{digest[:12]}.shard", pose.shape[0], digest)
    writing.replace(folder / shard.file)
    return shard


def write_index(path: str | Path, shards: Sequence[Shard], description: str) -> None:
    """Writes the index of shards that are in the folder beside it, then removes all other shards from the folder."""
    table = json.dumps([asdict(shard) for shard in shards], separators=(",", ":"))
    write_tensors(path, {}, {"format": INDEX, "version": VERSION, "corpus": description, "shards": table})
    remove_shards(Path(path), keep=shards)


def remove_shards(index: Path, keep: Sequence[Shard] = ()) -> None:
    """Removes the shards of an earlier index from its folder, and the folder if it is empty then."""
    folder, kept = folder_of(index), {shard.file for shard in keep}
    with suppress(OSError):
        for file in folder.iterdir():
            if NAME.fullmatch(file.name) and file.name not in kept:
                file.unlink()
        folder.rmdir()  # fails unless it is empty


def read_shards(index: Path, table: str) -> list[dict[str, NDArray[Any]]]:
    """Returns the memory-mapped arrays of each shard of an index; ``table`` is its list of shards."""
    folder = folder_of(index)
    try:
        shards = from_table(_Table, {"shards": parse_json(table, "shards")}, "index", CorpusError).shards
        if not shards:
            raise CorpusError("index lists no shard")
    except MoglowError as error:
        raise CorpusError(
            f"{index}: its list of shards is damaged: {error}; run moglow preprocess again"
        ) from error
    return [read_shard(folder / shard.file, shard, index) for shard in shards]


def read_shard(path: Path, shard: Shard, index: Path) -> dict[str, NDArray[Any]]:
    """Returns the memory-mapped arrays of a shard; raises `CorpusError` if it is not the one that the index lists."""
    if not path.is_file():
        raise CorpusError(
            f"{index}: its shard {path} is missing; copy the folder {path.parent.name} too, or run moglow "
            "preprocess again"
        )
    try:
        digest, (arrays, metadata) = read_digest(path), read_tensors(path)
    except FileFormatError as error:
        raise CorpusError(f"{error}; or run moglow preprocess again") from error
    frames = len(arrays.get("pose", ()))
    if metadata.get("format") != SHARD or digest != shard.digest or frames != shard.frames:
        raise CorpusError(
            f"{path}: is not the shard that {index} lists: {frames} frames and digest {digest[:12] or 'none'}, "
            f"expected {shard.frames} and {shard.digest[:12]}; copy the index and its shards again, or run moglow "
            "preprocess again"
        )
    return arrays


@dataclass(frozen=True)
class _Table:
    """The list of shards of an index."""

    shards: tuple[Shard, ...]
