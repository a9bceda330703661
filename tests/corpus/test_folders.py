"""A folder of clips as [data]: sub-folders are styles, and other content is named in the error."""

from pathlib import Path

import pytest

from moglow.corpus.folders import HELD_OUT_FROM, folder_data
from moglow.corpus.sources import find_sources
from moglow.errors import RecipeError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return folder


def test_sub_folders_are_styles_and_the_folder_is_the_style_of_the_rest(tmp_path: Path) -> None:
    folder = fill(tmp_path / "anna", "a.bvh", "B.BVH", "sly/c.bvh", "sly/.hidden.bvh", "._d.bvh", "notes.txt")
    found = find_sources(folder_data(folder), tmp_path)
    assert {source.name: source.style for source in found} == {
        "B.BVH": "anna",
        "a.bvh": "anna",
        "sly/c.bvh": "sly",
    }
    assert {source.performer for source in found} == {"anna"}
    assert {source.split for source in found} == {"train"}  # too few to hold one out


def test_the_name_of_a_folder_does_not_depend_on_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "anna", "a.bvh")
    monkeypatch.chdir(tmp_path / "anna")
    assert [source.style for source in find_sources(folder_data(Path()), Path())] == ["anna"]


def test_a_file_is_held_out_of_enough_of_them(tmp_path: Path) -> None:
    folder = fill(tmp_path / "anna", *(f"{number}.bvh" for number in range(HELD_OUT_FROM)))
    splits = [source.split for source in find_sources(folder_data(folder), tmp_path)]
    assert splits.count("val") == 1


def test_the_error_for_a_folder_without_clips_lists_its_content(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match=r"no motion file in it or below it \(it is empty\)"):
        folder_data(tmp_path / "empty")
    folder = fill(tmp_path / "c3d", "a.c3d", "deep/b.C3D", "c.csv")
    with pytest.raises(RecipeError, match=r"files: 2 with \.c3d, 1 with \.csv\); put BVH"):
        folder_data(folder)
