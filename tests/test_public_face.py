"""The public names of `moglow`: complete, lazy, and with the same results as the command line."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import moglow
from moglow.cli.main import cli
from moglow.takes.sidecars import read_sidecar
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

WALK = Path(__file__).parents[1] / "data" / "samples" / "walk.bvh"


def test_importing_moglow_loads_neither_numpy_nor_torch() -> None:
    code = "import sys, moglow; dir(moglow); print(*sorted({'numpy', 'torch', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_generating_loads_numpy_alone() -> None:
    code = "import sys, moglow; moglow.generate('line:length=0.5'); "
    code += "print(*sorted({'torch', 'scipy', 'bvh', 'click', 'rich', 'pyvista'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", moglow.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(moglow, name) is getattr(import_module(moglow._MODULE_OF[name]), name)
    assert name in dir(moglow)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(moglow.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == moglow._MODULE_OF


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        moglow.generat  # noqa: B018


@pytest.mark.parametrize("suffix", [".bvh", ".glb"])
def test_a_take_equals_the_file_of_the_command(suffix: str, tmp_path: Path) -> None:
    command, ours = tmp_path / f"command{suffix}", tmp_path / f"python{suffix}"
    arguments = ["generate", "--control", "circle:r=2", "--seed", "1", "-o", str(command)]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    take = moglow.generate("circle:r=2", seed=1)
    take.export(ours)
    assert ours.read_bytes() == command.read_bytes()
    assert take.figures["real_motion"]["foot_slide_m_s"]["median"] > 0


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        (("--loop",), {"loop": True}),
        (("--skeleton", "rig.bvh"), {"skeleton": "rig.bvh"}),
        (("--skeleton", "rig.bvh", "--loop"), {"skeleton": Path("rig.bvh"), "loop": True}),
        (("--temperature", "0.5", "--no-foot-lock"), {"temperature": 0.5, "foot_lock": False}),
    ],
)
def test_options_mean_the_same_in_python(
    options: tuple[str, ...], keywords: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moglow.write_bvh(walk(skeleton_of(RIGS["mixamo"]), seconds=1.0)[0], "rig.bvh")
    command, ours = tmp_path / "command.bvh", tmp_path / "python.bvh"
    arguments = ["generate", "--control", "line:length=2", "--seed", "3", "-o", str(command), *options]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    take = moglow.generate("line:length=2", seed=3, **keywords)
    take.export(ours)
    assert ours.read_bytes() == command.read_bytes()
    written = read_sidecar(command)
    if "skeleton" in keywords:
        assert take.clip.skeleton.names == moglow.read_bvh("rig.bvh").skeleton.names
        assert take.clip.skeleton.names != moglow.pretrained().skeleton.names
        again = moglow.generate(
            "line:length=2", seed=3, **{**keywords, "skeleton": moglow.read_bvh("rig.bvh")}
        )
        assert np.array_equal(again.clip.rotations, take.clip.rotations)
    same = set(take.figures) & set(written)
    assert {"path_error_m", "foot_slide_m_s", "log_likelihood_nats", "real_motion"} <= same
    assert ("lap" in same) == bool(keywords.get("loop"))
    assert {key: take.figures[key] for key in same} == {key: written[key] for key in same}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: moglow.generate("line", seed=-1), "seed is -1; give a whole number, at least 0"),
        (lambda: moglow.generate("line", temperature=float("nan")), "temperature is nan; give a number from"),
        (lambda: moglow.generate("line", temperature=-1), "temperature is -1; give a number from 0 to 2"),
        (lambda: moglow.generate("line", loop=True, strides=-1), "strides is -1; give a whole number"),
        (lambda: moglow.generate("line", footprints=[]), "footprints: there are none; give at least one"),
        (lambda: moglow.preset("line:length=1", 1e308), "give a positive rate"),
        (lambda: moglow.read_bvh(WALK, unit=1e308), "a unit of 1e.308 m, expected metres above 0 and up to"),
    ],
)
def test_wrong_values_are_refused_in_one_line(call: Callable[[], object], says: str) -> None:
    with pytest.raises(moglow.MoglowError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_no_submodule_hides_a_public_name() -> None:
    """Importing a submodule sets it as an attribute of `moglow`, over any public name that it shares."""
    submodules = {module.name for module in iter_modules(moglow.__path__)}
    assert not submodules & set(moglow.__all__)


def test_a_path_and_a_style_can_be_given(tmp_path: Path) -> None:
    path = moglow.preset("line:length=1")
    moglow.write_path(path, tmp_path / "line.csv")
    from_file = moglow.generate(tmp_path / "line.csv")
    assert len(from_file.clip) == len(path)
    style = moglow.pretrained().context.styles[0]
    assert moglow.generate(path, style=style).path.styles == (style,) * len(path)


def test_clips_and_takes_have_a_notebook_view() -> None:
    take = moglow.generate("line:length=0.5")
    for shown in (take._repr_html_(), take.clip._repr_html_()):
        assert shown.startswith("<iframe srcdoc=") and "default-src" in shown


def test_the_reference_lists_all_public_names() -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "reference" / "moglow.md"
    names = re.findall(r"^::: moglow\.(\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == moglow.__all__
