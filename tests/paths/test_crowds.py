"""Path files of several figures: each figure's path is that of its rows alone; errors name the line and the column."""

from pathlib import Path

import numpy as np
import pytest

from moglow.errors import ControlError
from moglow.paths.crowds import figures_of, number_of
from moglow.paths.csv_files import read_path

ROWS = {
    "anna": ["0,0,0", "1,0.2,1.1", "2,0,2"],
    "b 2": ["0.5,3,0", "1.5,3,1.2", "2.5,2,2.2", "3.5,2,3"],
}


def crowd_file(folder: Path, header: str = "t,x,z", delimiter: str = ",") -> Path:
    """A file of mixed rows, the figure in the second column."""
    lines = [(row, figure) for figure, rows in ROWS.items() for row in rows]
    lines = lines[::2] + lines[1::2]
    lines.sort(key=lambda each: float(each[0].partition(",")[0]))
    texts = [f"{row.split(',')[0]},{figure},{','.join(row.split(',')[1:])}" for row, figure in lines]
    first, *rest = header.split(",")
    file = folder / "crowd.csv"
    file.write_text(
        "\n".join(["# two people", ",".join([first, "ID", *rest]), *texts]).replace(",", delimiter)
    )
    return file


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_each_figure_has_the_path_of_its_rows(tmp_path: Path, delimiter: str) -> None:
    file = crowd_file(tmp_path, delimiter=delimiter)
    assert set(figures_of(file)) == set(ROWS)
    for figure, rows in ROWS.items():
        (tmp_path / "alone.csv").write_text("\n".join(["t,x,z", *rows]))
        alone, together = read_path(tmp_path / "alone.csv", fps=30), read_path(f"{file}#{figure}", fps=30)
        assert np.array_equal(alone.positions, together.positions)
        assert np.array_equal(alone.headings, together.headings)


def test_figures_are_numbered_by_their_first_rows(tmp_path: Path) -> None:
    file = crowd_file(tmp_path)
    assert [number_of(f"{file}#{figure}") for figure in figures_of(file)] == [0, 1]
    assert number_of("line") == 0 and figures_of("line") == ()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = crowd_file(tmp_path)
    assert len(figures_of(file)) == 2
    file.write_text("id,x,z\nc,0,0\nc,1,1\n")
    assert figures_of(file) == ("c",) and read_path(f"{file}#c").length == pytest.approx(2**0.5, abs=0.01)


@pytest.mark.parametrize(
    ("text", "figure", "says"),
    [
        ("id,t,x,z\na,0,0,0\na,1,0,zz\n", "#a", r"#a: line 3, column z: found 'zz'"),
        ("id,t,x,z\na,0,0,0\n,1,0,1\n", "#a", "line 3, column id: nothing"),
        ("id,t,x,z\na,0,0,0\na,1,0\n", "#a", "line 3 has 2 values"),
        ("id,t,x,z\n" + "a" * 101 + ",0,0,0\n", "#a", "101 characters"),
        ("id,t,x,z\na,0,0,0\na,1,0,1\n", "#b", "has no figure 'b'; its first are a"),
        ("id,t,x,z\na,0,0,0\na,1,0,1\n", "", "holds 1 figures; name one, as in"),
        ("t,x,z\n0,0,0\n1,0,1\n", "#a", "has no column id"),
        ("id,t,x,z\n", "#a", "no rows after the header"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path: Path, text: str, figure: str, says: str) -> None:
    file = tmp_path / "crowd.csv"
    file.write_text(text)
    with pytest.raises(ControlError, match=says) as caught:
        read_path(f"{file}{figure}")
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)
