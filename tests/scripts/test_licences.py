"""The licence list of the gate: it follows what packages need, and an unknown licence fails."""

import sys
from pathlib import Path

import pytest

from scripts import licences


def package(folder: Path, name: str, *lines: str) -> None:
    """Writes the metadata of a package, as an installer does."""
    place = folder / f"{name}-1.0.dist-info"
    place.mkdir()
    text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""])
    (place / "METADATA").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages before all others."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    package(
        tmp_path,
        "top",
        "Requires-Dist: Under.Lying>=1",
        "Requires-Dist: other; extra == 'more'",
        "Requires-Dist: absent; sys_platform == 'nowhere'",
        "Provides-Extra: more",
    )
    package(tmp_path, "under_lying", "License-Expression: Apache-2.0 OR GPL-3.0-only")
    package(tmp_path, "other", "License: BSD", "Classifier: License :: OSI Approved :: MIT License")
    return tmp_path


def test_requirements_are_listed_with_their_licences(site: Path) -> None:
    rows = {row.name: row for row in licences.installed("top", ("more",))}
    assert {name: row.licence for name, row in rows.items()} == {
        "under-lying": "Apache-2.0 OR GPL-3.0-only",
        "other": "MIT",
    }
    assert all(row.suits for row in rows.values())
    assert [row.name for row in licences.installed("top")] == ["under-lying"]


@pytest.mark.parametrize("lines", [(), ("License-Expression: GPL-3.0-only",), ("License: my own",)])
def test_an_unknown_licence_fails(
    site: Path, lines: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    package(site, "moglow", "Requires-Dist: strange")
    package(site, "strange", *lines)
    assert licences.main() == 1
    assert "strange 1.0" in capsys.readouterr().err


def test_installed_packages_have_allowed_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main() == 0, capsys.readouterr().err
    assert {"numpy", "click", "rich", "bvh"} <= {
        line.split()[0] for line in capsys.readouterr().out.splitlines()
    }
