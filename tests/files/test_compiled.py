"""Compiled libraries: kept under their digest, one for each set of flags; whatever prevents one is a `DeviceError`."""

from pathlib import Path

import pytest

from moglow.errors import DeviceError
from moglow.files.compiled import load_library

CODE = "int answer(void) { return ANSWER; }\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "answer.c"
    file.write_text(CODE)
    return file


def test_flags_and_sources_have_libraries_of_their_own(source: Path) -> None:
    for answer in (1, 2, 1):
        try:
            assert load_library(source, (f"-DANSWER={answer}",)).answer() == answer
        except DeviceError as error:
            pytest.skip(str(error))
    kept = list((source.parent / "cache" / "moglow" / "kernels").iterdir())
    assert len(kept) == 2
    source.write_text(CODE.replace("ANSWER", "ANSWER + 10"))
    assert load_library(source, ("-DANSWER=1",)).answer() == 11


@pytest.mark.parametrize(
    "why", ["an error in the source", "no compiler", "no home", "no folder", "no source"]
)
def test_what_prevents_a_library_is_one_line(source: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    if why == "no compiler":
        monkeypatch.setenv("CC", "no-such-compiler")
    elif why == "no home":
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", _no_home)
    elif why == "no folder":
        monkeypatch.setenv("XDG_CACHE_HOME", str(source))
    elif why == "no source":
        source.unlink()
    with pytest.raises(DeviceError) as caught:
        load_library(source, ("-DWRONG=1",), needs=" and luck")
    assert "\n" not in str(caught.value) and "use numpy without" in str(caught.value)


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")
