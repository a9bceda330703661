"""The command `moglow clean`: its output, the files it writes, and the frames it leaves unchanged."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.cleaning.injection import inject
from moglow.cli.main import cli

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


def clean(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["clean", *map(str, arguments)])


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """The walk of the samples with its legs swapped in some frames and a spike in others."""
    clip = read_bvh(SAMPLES / "walk.bvh")
    for kind, seed in (("swap", 2), ("spike", 1)):
        clip = inject(clip, kind, generator=np.random.default_rng(seed)).clip
    write_bvh(clip, tmp_path / "take.bvh")
    return tmp_path / "take.bvh"


def test_a_sound_take_has_no_damage_and_stays_byte_for_byte(tmp_path: Path) -> None:
    result = clean(SAMPLES / "walk.bvh", "-o", tmp_path / "fixed.bvh")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["no damage found", f"{tmp_path / 'fixed.bvh'}: no damage found"]
    assert (tmp_path / "fixed.bvh").read_bytes() == (SAMPLES / "walk.bvh").read_bytes()


def test_damage_is_listed_and_nothing_is_written(take: Path) -> None:
    result = clean(take, "--no-model")
    assert result.exit_code == 0
    assert "are swapped" in result.stdout and "away and back" in result.stdout
    assert [file.name for file in take.parent.iterdir()] == ["take.bvh"]


def test_good_frames_keep_their_lines(take: Path) -> None:
    fixed = take.with_name("fixed.bvh")
    result = clean(take, "-o", fixed, "--json", "--no-model")
    output = json.loads(result.stdout)
    assert [each["kind"] for each in output["findings"]] == ["swap", "spike"]
    before, after = (file.read_bytes().splitlines() for file in (take, fixed))
    head = len(before) - output["frames"]
    changed = [k - head for k, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert changed == output["changed"]
    assert set(changed) == {
        frame for each in output["findings"] for frame in range(each["start"], each["stop"])
    }
    sound = read_bvh(SAMPLES / "walk.bvh").world_positions
    assert np.abs(read_bvh(fixed).world_positions - sound).max() < 0.01


def test_a_page_shows_the_take_before_and_after(take: Path) -> None:
    page = take.with_name("page.html")
    assert clean(take, "--html", page, "--no-model").exit_code == 0
    text = page.read_text("utf-8")
    assert "take, before" in text and "take, after" in text and "swapped" in text


def test_long_gaps_are_sampled_by_the_model(take: Path) -> None:
    """A leg frozen for most of a second: with a curve it glides, with the model it takes a step."""
    clip = read_bvh(SAMPLES / "walk.bvh")
    frozen = inject(clip, "frozen", generator=np.random.default_rng(3))
    write_bvh(frozen.clip, take)
    off = []
    for option in ([], ["--no-model"]):
        fixed = take.with_name("fixed.bvh")
        assert clean(take, "-o", fixed, *option).exit_code == 0
        away = np.linalg.norm(read_bvh(fixed).world_positions - clip.world_positions, axis=-1)
        off.append(float(away[frozen.frames].mean()))
        assert away[~frozen.frames].max() < 1e-6
    assert off[0] < off[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "take.bvh"], "is the input take.bvh, which is never overwritten"),
        (["-o", "fixed.glb"], "a mended take is a .bvh file"),
        (["--checkpoint", "nowhere"], "nowhere"),
        (["--map", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_mistakes_are_one_line(
    take: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(take.parent)
    model = [] if "--checkpoint" in arguments else ["--no-model"]
    before = take.read_bytes()
    result = clean("take.bvh", *arguments, *model)
    assert result.exit_code == 1 and take.read_bytes() == before
    assert result.stderr.startswith("error: ") and message in result.stderr and result.stderr.count("\n") == 1


def test_a_take_that_is_not_there_is_one_line() -> None:
    result = clean("nowhere.bvh")
    assert result.exit_code == 1 and result.stderr.startswith("error: nowhere.bvh: no such file")


def test_a_folder_is_cleaned_file_by_file(take: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "mocap", tmp_path / "cleaned"
    (folder / "calm").mkdir(parents=True)
    take.rename(folder / "calm" / "take.bvh")
    (folder / "broken.bvh").write_text("HIERARCHY")
    (folder / "walk.bvh").write_bytes((SAMPLES / "walk.bvh").read_bytes())
    result = clean(folder, "-o", out, "--no-model")
    assert result.exit_code == 1 and result.stderr == ""
    assert "3 files: 1 undamaged, 1 damaged, 1 unusable, 2 written" in result.stdout
    alone = clean(folder / "calm" / "take.bvh", "-o", tmp_path / "alone.bvh", "--no-model", "--json")
    assert (out / "calm" / "take.bvh").read_bytes() == (tmp_path / "alone.bvh").read_bytes()
    assert (out / "walk.bvh").read_bytes() == (SAMPLES / "walk.bvh").read_bytes()
    assert sorted(file.name for file in out.rglob("*.bvh")) == ["take.bvh", "walk.bvh"]
    again = json.loads(clean(folder, "--no-model", "--json").stdout)
    assert [each["file"] for each in again if "error" in each] == [str(folder / "broken.bvh")]
    assert json.loads(alone.stdout)["findings"] in [each.get("findings") for each in again]


def test_a_folder_is_not_cleaned_over_itself_or_into_a_file(take: Path) -> None:
    before = take.read_bytes()
    assert "is the input" in clean(take.parent, "-o", take.parent, "--no-model").stderr
    assert "is a file; give a folder" in clean(take.parent, "-o", take, "--no-model").stderr
    assert "--html is for one take" in clean(take.parent, "--html", "a.html").stderr
    assert "--scheduler is for the files of a folder" in clean(take, "--scheduler", "local:1").stderr
    assert take.read_bytes() == before
