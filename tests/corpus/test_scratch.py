"""The folder between the steps of preprocessing: an interruption at any moment leaves nothing."""

from pathlib import Path

import pytest

import moglow.files.locks as locks
from moglow.corpus.scratch import Scratch
from moglow.errors import ExportError


@pytest.mark.parametrize("name", ["_open", "_owned"])
def test_an_interruption_while_it_is_locked_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = getattr(locks, name)

    def interrupted(*given: object) -> object:
        plain(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(locks, name, interrupted)
        with pytest.raises(KeyboardInterrupt), Scratch.beside(tmp_path / "a.corpus"):
            pass
    assert not list(tmp_path.iterdir())


def test_the_folder_of_another_command_stays(tmp_path: Path) -> None:
    with Scratch.beside(tmp_path / "a.corpus") as scratch:
        scratch.place("clip").write_bytes(b"")
        with pytest.raises(ExportError, match="is writing it"), Scratch.beside(tmp_path / "a.corpus"):
            pass
        assert scratch.place("clip").exists()
    assert not list(tmp_path.iterdir())
