"""The command that measures all speeds: its tables, its comparison, what it refuses; and the authors' code in turns."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.evaluation.speed import Subject
from scripts.benchmarks.speed import run, sampling, tables

ROWS = {"port": {"ms": 68.71, "× port": 1.0}, "numpy": {"ms": 11.4, "× port": 6.03, "error": 8.9e-6}}
GLOW = """
import torch
from torch import nn


class Norm(nn.Module):
    inited = False


class Glow(nn.Module):
    def __init__(self, x_channels, cond_channels, hparams):
        super().__init__()
        self.norm, self.lstm = Norm(), nn.LSTM(cond_channels, x_channels, hparams.Glow.num_layers)

    def init_lstm_hidden(self):
        self.started = True

    def forward(self, x=None, cond=None, z=None, eps_std=None, reverse=False):
        assert reverse and self.norm.inited and self.started and z.shape[2] == cond.shape[2] == 1
        return z + self.lstm(cond.permute(2, 0, 1))[0].permute(1, 2, 0)
"""


def results(**machine: Any) -> dict[str, Any]:
    return {
        "machine": run.machine() | machine,
        "load": [0.1, 2.0],
        "minutes": 1.5,
        "parts": {
            "sampling": {"about": "a frame", "rows": ROWS},
            "window": {"missing": "not measured: no display"},
        },
    }


def test_tables_are_written_between_the_markers_only() -> None:
    page = "before\n<!-- speed -->\nold\n<!-- end of speed -->\nafter"
    once = tables.with_tables(page, results())
    assert once.startswith("before\n<!-- speed -->\n") and once.endswith("<!-- end of speed -->\nafter")
    assert (
        "old" not in once and "| numpy | 11.4 | 6.03 | 8.9e-06 |" in once and "| port | 68.7 | 1 |  |" in once
    )
    assert "**window**: not measured: no display" in once
    assert tables.with_tables(once, results()) == once
    with pytest.raises(ValueError, match="expected one <!-- speed -->"):
        tables.with_tables("no markers", results())


def test_an_earlier_run_is_compared_figure_by_figure() -> None:
    before, now = results(), results()
    now["parts"]["sampling"]["rows"] = {"numpy": {"ms": 5.7}, "native": {"ms": 3.0}}
    (line,) = tables.compared(before, now)  # the new row has no earlier figure
    assert line.split() == ["sampling", "numpy", "ms", "11.4", "5.7", "0.50"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(results(processor="Abacus")), "results of another machine (processor 'Abacus' there, "),
        (json.dumps(results(cores=99)), "results of another machine (cores 99 there, "),
        ("{}", "expected the results of this script"),
        ("[", "expected the results of this script"),
    ],
)
def test_results_of_another_machine_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "earlier.json"
    file.write_text(text)
    with pytest.raises(SystemExit) as refused:
        run.earlier(file, run.machine())
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_this_machine_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "earlier.json"
    file.write_text(json.dumps(results()))
    assert run.earlier(file, run.machine())["parts"]["sampling"]["rows"] == ROWS


def test_parts_are_chosen_by_name() -> None:
    assert run.chosen("page, bvh") == ["bvh", "page"]
    with pytest.raises(SystemExit, match="there is no part 'dance'"):
        run.chosen("bvh,dance")


def test_a_run_writes_results_and_the_page_only_if_it_has_all_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, file = tmp_path / "page.md", tmp_path / "RESULTS.json"
    page.write_text("<!-- speed -->\n<!-- end of speed -->\n")
    small = run.Part("bvh_files", "--frames 50 --joints 3 --runs 1")
    lacking = run.Part("window", "", modules=("no_such_module",))
    for parts, shown in (("bvh", False), (None, True)):
        monkeypatch.setattr(run, "PARTS", {"bvh": small, "window": lacking})
        chosen = ["--parts", parts] if parts else []
        monkeypatch.setattr(sys, "argv", ["run.py", *chosen, "--results", str(file), "--page", str(page)])
        run.main()
        found = json.loads(file.read_text())
        assert set(found["parts"]["bvh"]["rows"]) == {"read", "write, portable", "write, verbatim"}
        assert found["machine"] == run.machine() and ("| read |" in page.read_text()) == shown
    assert found["parts"]["window"] == {"missing": "not measured: needs the module no_such_module"}


def test_a_part_that_fails_or_has_no_time_is_listed_with_the_reason() -> None:
    given = argparse.Namespace(cpu_time=False, authors=None)
    assert run.measured("bvh", given, 3.0) == {"missing": "not measured: no time was left"}
    assert run._ended([sys.executable, "-c", "import sys; sys.exit('no luck')"], {}, 60.0) == "no luck"
    assert run._ended([sys.executable, "-c", "import time; time.sleep(60)"], {}, 0.4) == "took more than 0 s"
    assert run._ended([sys.executable, "-c", "pass"], {}, 60.0) is None


def test_the_authors_code_samples_from_a_checkout(tmp_path: Path) -> None:
    """The stand-in has the interface of the authors' class; none of their code is in this project."""
    (tmp_path / "code" / "glow").mkdir(parents=True)
    (tmp_path / "code" / "glow" / "models.py").write_text(GLOW)
    subject = Subject(
        "x", {"hidden": 8, "steps": 2, "layers": 1, "conditioner": "lstm", "scale": "paper"}, {}, 7
    )
    frames = sampling.authors_of(tmp_path, subject, 3)
    one, other = next(frames), next(frames)
    assert one.shape == (3, sampling.POSE) and not np.array_equal(one, other)
    with pytest.raises(SystemExit, match="expected the authors' code with a class Glow"):
        next(sampling.authors_of(tmp_path / "code" / "nothing", subject, 3))
