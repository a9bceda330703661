"""From a checkpoint and a path to takes on the disk: the library and `moglow generate`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from moglow.bvh.read import read_bvh
from moglow.bvh.write import write_bvh
from moglow.checkpoint import REAL_SLIDE
from moglow.cli.main import cli
from moglow.errors import ControlError
from moglow.formats.export import export
from moglow.motion.clip_stream import joined
from moglow.motion.contacts import contacts, toe_points
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.sampling.generate import BLOCK, generate, motions, ranked, styled, within_range
from moglow.sampling.ranking import FAR, UNUSUAL
from moglow.sampling.sampler import Sampler, Track
from moglow.takes.sidecars import read_sidecar, sidecar_of
from tests.sampling.test_sampler import make_checkpoint
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

CARRY = {"toe_x": 0.8, "toe_z": 0.8, "toe_height": 0.7}
"""Of toes that stand now and then, while the poses of random weights stay those of a body."""
PATH = ControlPath.from_velocities(np.tile([0.8, 0.0, 0.2], (61, 1)), 30.0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    make_checkpoint(carry=CARRY).write(file)
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["generate", *map(str, arguments)])


def test_takes_differ_and_repeat() -> None:
    first, second = generate(make_checkpoint(carry=CARRY), PATH, seed=5, takes=2)
    (again,) = generate(make_checkpoint(carry=CARRY), PATH, seed=5, takes=1)
    assert np.array_equal(first.clip.rotations, again.clip.rotations)
    assert not np.allclose(first.clip.rotations, second.clip.rotations)


@pytest.mark.parametrize("read", [0, 1, 2])
def test_a_motion_that_is_given_up_does_not_change_the_following(read: int) -> None:
    """The blocks that were not read of a batch are not those of the next one."""
    checkpoint = make_checkpoint(carry=CARRY)
    sampler = Sampler.of(checkpoint)
    sampler.model.rows = 1, 2  # type: ignore[misc]
    path = ControlPath.from_velocities(np.tile([0.8, 0.0, 0.2], (round(2.5 * BLOCK * 30), 1)), 30.0)
    tracks = [Track(path, 5, take) for take in range(3)]
    made = motions(sampler, checkpoint, tracks, foot_lock=False)
    for _ in range(2):
        blocks = next(made).blocks
        for _ in range(read):
            next(blocks)
    (alone,) = motions(sampler, checkpoint, tracks[2:], foot_lock=False)
    expected = joined(alone.blocks)
    assert np.array_equal(joined(next(made).blocks).rotations, expected.rotations)


def test_the_foot_lock_holds_planted_feet() -> None:
    path = read_path("line:length=4", fps=30.0)
    (free,) = generate(make_checkpoint(carry=CARRY), path, temperature=0.6, foot_lock=False)
    (held,) = generate(make_checkpoint(carry=CARRY), path, temperature=0.6)
    assert free.slide == free.slide_before == held.slide_before
    planted = contacts(free.clip)
    assert planted.any()
    toes = toe_points(held.clip)
    both = planted[1:] & planted[:-1]
    assert held.slide.mean <= free.slide.mean
    if both.any():
        assert np.abs(np.diff(toes[..., [0, 2]], axis=0)[both]).max() < 0.02


def test_ranking_puts_the_stillest_feet_first() -> None:
    takes = ranked(list(generate(make_checkpoint(carry=CARRY), PATH, takes=4)), make_checkpoint(carry=CARRY))
    assert {take.number for take in takes} == {0, 1, 2, 3}
    nats = np.median([take.measured.nats.mean() for take in takes])
    score = [
        take.measured.path.mean / FAR
        + take.slide_before.mean / REAL_SLIDE
        + abs(take.measured.nats.mean() - nats) / (UNUSUAL * make_checkpoint(carry=CARRY).context.pose_dim)
        for take in takes
    ]
    assert score == sorted(score)


def test_a_path_beyond_the_range_is_slowed_followed_or_refused() -> None:
    checkpoint = make_checkpoint(carry=CARRY)
    fast = ControlPath.from_velocities(np.tile([6.2, 0.0, 0.0], (61, 1)), 20.0)
    same, warnings = within_range(checkpoint, fast, as_asked=True, strict=False)
    assert same is fast and "6.2 m/s requested" in warnings[0] and "1.5 m/s within reach" in warnings[0]
    slowed, warnings = within_range(checkpoint, fast, as_asked=False, strict=False)
    assert slowed.duration > 2 * fast.duration and "slowed from" in warnings[0]
    with pytest.raises(ControlError, match="slow it down"):
        within_range(checkpoint, fast, as_asked=False, strict=True)


def test_an_unrecorded_stand_is_reported_or_refused() -> None:
    checkpoint = make_checkpoint(carry=CARRY)
    walked = replace(checkpoint, control_range=replace(checkpoint.control_range, slowest=0.8))
    line, steady = read_path("line", fps=20.0), ControlPath.from_velocities([[1.0, 0.0, 0.0]] * 21, 20.0)
    for as_asked in (False, True):
        same, (warning,) = within_range(walked, line, as_asked=as_asked, strict=False)
        assert same is line and "0.0 m/s requested at 0.0 s" in warning and "0.8 m/s within reach" in warning
    with pytest.raises(ControlError, match="at speed"):
        within_range(walked, line, as_asked=True, strict=True)
    for seen, path in ((checkpoint, line), (walked, steady)):
        assert within_range(seen, path, as_asked=False, strict=True) == (path, [])


def test_an_unknown_style_is_named_with_the_known_ones() -> None:
    with pytest.raises(ControlError, match="brisk"):
        list(generate(make_checkpoint(carry=CARRY), styled(PATH, "briks")))


def test_the_command_writes_a_take_and_its_figures(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.bvh"
    done = run("--control", "line:length=2", "-o", out, "--checkpoint", model, "--seed", 3, "--fps", 60)
    assert done.exit_code == 0, done.output
    clip, stored = read_bvh(out), sidecar(out)
    assert clip.fps == 60 and len(clip) == stored["frames"]
    assert stored["seed"] == 3 and stored["foot_slide_m_s"]["written"]["mean"] >= 0
    first = out.read_bytes()
    run("--control", "line:length=2", "-o", out, "--checkpoint", model, "--seed", 3, "--fps", 60)
    assert out.read_bytes() == first


def test_the_command_numbers_takes_and_puts_them_on_a_rig(model: Path, tmp_path: Path) -> None:
    rig = Path(__file__).parents[2] / "data" / "samples" / "figure.bvh"
    out = tmp_path / "walk.bvh"
    done = run(
        *("--control", "stand", "-o", out, "--checkpoint", model, "--takes", 2, "--rank", "--skeleton", rig)
    )
    assert done.exit_code == 0, done.output
    files = sorted(tmp_path.glob("walk_*.bvh"))
    assert [file.name for file in files] == ["walk_1.bvh", "walk_2.bvh"]
    assert read_bvh(files[0]).skeleton.names == read_bvh(rig).skeleton.names


def sidecar(file: Path) -> dict[str, Any]:
    return read_sidecar(file)


def test_the_file_is_streamed_and_still_that_of_the_whole_clip(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.bvh"
    run("--control", "line:length=30", "-o", out, "--checkpoint", model, "--takes", 2, "--seed", 3)
    path = read_path("line:length=30", fps=20.0)
    for take in generate(make_checkpoint(carry=CARRY), path, seed=3, takes=2):
        assert len(take.clip) > 2 * BLOCK * take.clip.fps, "several blocks, or this would show nothing"
        export(take.clip, tmp_path / "whole.bvh")
        file = tmp_path / f"walk_{take.number + 1}.bvh"
        assert file.read_bytes() == (tmp_path / "whole.bvh").read_bytes()
        assert {key: sidecar(file)[key] for key in take.figures} == take.figures


def test_the_sidecar_has_likelihoods_and_figures_of_real_motion(tmp_path: Path) -> None:
    about = {
        "likelihood": {"standardized": -50.0, "dequantised": 0.001},
        "real": {"slide_median": 0.03, "slide_mean": 0.06, "jerk": 90.0},
    }
    file, out = tmp_path / "model.safetensors", tmp_path / "walk.bvh"
    make_checkpoint(carry=CARRY).with_figures(validation=about).write(file)
    run("--control", "line:length=2", "-o", out, "--checkpoint", file)
    stored = sidecar(out)
    nats = stored["log_likelihood_nats"]
    assert isinstance(nats, dict) and len(nats["per_frame"]) == stored["frames"]
    assert nats["mean"] == pytest.approx(np.mean(nats["per_frame"]), abs=0.1)
    assert "noise of 0.001" in str(stored["likelihood_is"])
    assert stored["real_motion"] == {
        "foot_slide_m_s": {"median": 0.03, "mean": 0.06},
        "jerk_m_s3": 90.0,
        "log_likelihood_nats": {"mean": 50.0},
    }


def test_without_control_and_name_the_path_is_a_figure_of_eight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("--checkpoint", model)
    assert done.exit_code == 0 and done.output.startswith("figure8.bvh: ")
    assert read_bvh("figure8.bvh").duration > 10


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """A folder of three short paths."""
    folder = tmp_path / "paths"
    folder.mkdir()
    for number, speed in enumerate((0.5, 0.8, 1.1)):
        rows = "".join(f"{t},0,{speed * t}\n" for t in range(2 + number))
        (folder / f"path{number}.csv").write_text(f"t,x,z\n{rows}")
    return folder


def test_a_batch_is_the_same_alone_in_shards_and_under_torchrun(
    batch: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("--checkpoint", model, "--takes", 2, "--control", batch, "--control", "stand:seconds=1")
    done = run(*common, "-o", tmp_path / "all")
    assert done.exit_code == 0, done.output
    names = [f"{name}_{k}.bvh" for name in ("path0", "path1", "path2", "stand_seconds=1") for k in (1, 2)]
    assert sorted(file.name for file in (tmp_path / "all").glob("*.bvh")) == names
    for part in (1, 2, 3):
        run(*common, "-o", tmp_path / "sharded" / "{}.bvh", "--shard", f"{part}/3")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in (0, 1):
        monkeypatch.setenv("RANK", str(rank))
        result = run(*common, "-o", tmp_path / "ranks")
        assert len(result.output.splitlines()) == 4
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.delenv("RANK")
    run("--checkpoint", model, "--takes", 2, "--control", batch / "path2.csv", "-o", tmp_path / "path2.bvh")
    for name in names:
        content = (tmp_path / "all" / name).read_bytes()
        assert (tmp_path / "sharded" / name).read_bytes() == content
        assert (tmp_path / "ranks" / name).read_bytes() == content
    assert (tmp_path / "path2_2.bvh").read_bytes() == (tmp_path / "all" / "path2_2.bvh").read_bytes()


def test_an_interrupted_batch_is_resumed(batch: Path, model: Path, tmp_path: Path) -> None:
    common = ("--checkpoint", model, "--control", batch, "-o", tmp_path / "out")
    run(*common)
    files = [tmp_path / "out" / f"path{number}.bvh" for number in range(3)]
    whole = [file.read_bytes() for file in files]
    files[1].unlink()
    sidecar_of(files[1]).unlink()
    files[2].unlink()  # its sidecar is written before it takes its place
    output = run(*common).output.splitlines()
    assert ["already" in line for line in output] == [True, False, False]
    assert [file.read_bytes() for file in files] == whole
    assert "already" not in run(*common, "--overwrite").output
    assert "already" not in run(*common, "--seed", 1).output, "another seed is another motion"
    assert [file.read_bytes() for file in files] != whole
    (batch / "path0.csv").write_text("t,x,z\n0,0,0\n1,0,0.7\n")
    output = run(*common, "--seed", 1).output.splitlines()
    assert ["already" in line for line in output].count(False) == 1, "a changed path is generated again"


def test_ranking_is_resumed_too_and_numbers_by_score(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.bvh"
    common = ("--checkpoint", model, "--control", "line:length=2", "-o", out, "--takes", 4)
    done = run(*common, "--rank")
    assert done.exit_code == 0 and "score" in done.output
    files = [tmp_path / f"walk_{place}.bvh" for place in (1, 2, 3, 4)]
    score = [sidecar(file)["score"] for file in files]
    assert score == sorted(score) and {sidecar(file)["take"] for file in files} == {0, 1, 2, 3}
    assert len(list(tmp_path.glob("walk*"))) == 8, "nothing else is left"
    ranked_bytes = [file.read_bytes() for file in files]
    assert run(*common, "--rank").output.count("already") == 4
    files[0].unlink()
    again = run(*common, "--rank").output
    assert again.count("score") == 4 and [file.read_bytes() for file in files] == ranked_bytes
    run(*common, "--overwrite")
    assert [sidecar(file)["take"] for file in files] == [0, 1, 2, 3]
    assert sorted(file.read_bytes() for file in files) == sorted(ranked_bytes)


@pytest.mark.parametrize(
    "options",
    [
        ("--fps", 50),
        ("--in-place",),
        ("--unit", "m"),
        ("--no-foot-lock",),
        ("--temperature", 0.2),
        ("--seed", 4),
        ("--style", "calm"),
    ],
)
def test_each_option_changes_the_file(model: Path, tmp_path: Path, options: tuple[object, ...]) -> None:
    common = ("--checkpoint", model, "--control", "line:length=4", "--temperature", 0.6)
    run(*common, "-o", tmp_path / "a.bvh")
    done = run(*common, "-o", tmp_path / "b.bvh", *options)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a.bvh").read_bytes() != (tmp_path / "b.bvh").read_bytes()
    plain, changed = read_bvh(tmp_path / "a.bvh"), read_bvh(tmp_path / "b.bvh")
    assert changed.duration == pytest.approx(plain.duration, abs=0.05)
    if "--in-place" in options:
        assert np.abs(changed.ground_positions()).max() < 1e-4


def test_a_path_beyond_reach_is_slowed_down_unless_kept_as_given(model: Path, tmp_path: Path) -> None:
    common = ("--checkpoint", model, "--control", "line:length=12,speed=4")
    output = run(*common, "-o", tmp_path / "a.bvh", "--as-asked").output
    assert (
        "warning: line:length=12,speed=4: forward: 3.3 m/s requested" in output
        and "1.5 m/s within reach" in output
    )
    slowed = run(*common, "-o", tmp_path / "b.bvh").output
    assert "slowed from" in slowed and sidecar(tmp_path / "b.bvh")["warnings"]
    assert read_bvh(tmp_path / "b.bvh").duration > 1.2 * read_bvh(tmp_path / "a.bvh").duration


def test_auto_selects_the_cpu(model: Path, tmp_path: Path) -> None:
    for device in ("auto", "cpu"):
        run(
            "--checkpoint",
            model,
            "--control",
            "line:length=1",
            "-o",
            tmp_path / f"{device}.bvh",
            "--device",
            device,
        )
    assert (tmp_path / "auto.bvh").read_bytes() == (tmp_path / "cpu.bvh").read_bytes()
    assert sidecar(tmp_path / "auto.bvh")["device"] == "numpy"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_one_line(model: Path, tmp_path: Path) -> None:
    done = run("--checkpoint", model, "-o", tmp_path / "w.bvh", "--device", "cuda")
    assert done.exit_code == 1 and "no CUDA GPU" in done.output and done.output.count("\n") == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_generated_motion_does_not_depend_on_its_batch_on_a_gpu() -> None:
    sampler = Sampler.of(make_checkpoint(carry=CARRY), device="cuda")
    tracks = [Track(PATH.resample(sampler.fps), 3, take) for take in range(5)]
    together, alone = list(sampler.sample(tracks)), list(sampler.sample(tracks[3:4]))
    assert sampler.device == "cuda"
    assert all(np.array_equal(a[0][3], b[0][0]) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize("rig", ["mixamo", "rigify", "unreal"])
def test_motion_is_retargeted_to_any_rig_with_its_hierarchy_verbatim(
    model: Path, tmp_path: Path, rig: str
) -> None:
    write_bvh(walk(skeleton_of(RIGS[rig]), seconds=1.0)[0], tmp_path / "rig.bvh")
    out = tmp_path / "walk.bvh"
    done = run(
        "--checkpoint", model, "--control", "line:length=15", "-o", out, "--skeleton", tmp_path / "rig.bvh"
    )
    assert done.exit_code == 0, done.output
    head, theirs = (file.read_text().split("MOTION")[0] for file in (out, tmp_path / "rig.bvh"))
    assert head == theirs
    clip, path = read_bvh(out), read_path("line:length=15", fps=20.0)
    assert np.linalg.norm(clip.ground_positions() - path.positions, axis=-1).max() < 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--control", "line", "--control", "side", "-o", "w.bvh"), "one file for 2 paths"),
        (("--control", "line", "-o", "w.bvh", "--shard", "3/2"), "shard 3/2"),
        (("--control", "line", "-o", "w.glb", "--unit", "m"), "no option 'unit'"),
        (("--control", ".", "-o", "w.bvh"), "no .csv"),
        (("--control", "line", "-o", "w.bvh", "--skeleton", "none.bvh"), "none.bvh"),
        (("--control", "no.csv", "-o", "w.bvh"), "no such file"),
        (("--control", "circel:r=2", "-o", "w.bvh"), "circle"),
        (("--control", "line", "-o", "w.fbx"), "no format"),
        (("--control", "line:length=60,speed=9", "-o", "w.bvh", "--strict"), "m/s requested"),
        (("--control", "line", "-o", "w.bvh", "--style", "cal"), "calm"),
    ],
)
def test_a_mistake_is_one_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, "--checkpoint", model)
    assert done.exit_code == 1 and message in done.output and done.output.count("\n") == 1
    assert not list(tmp_path.glob("w.*"))
