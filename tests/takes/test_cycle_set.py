"""The set of cycles: its motions fit together, repeat, and are listed; what cannot be made is named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.bvh.read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.paths.control_range import ControlRange
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.sampler import Sampler
from moglow.takes.cycle_files import speeds_of
from moglow.takes.cycle_piece import Piece
from moglow.takes.cycle_set import GAITS, CycleSpec, cycle_set

SAME = 1e-4
"""Metres: BVH files are written to less."""
SLOW = [f"--speed={name}=9" for name in ("jog", "run", "back_jog", "strafe_jog_left")]
"""Gaits that a quick test does without: no model has seen 9 m/s."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    out = tmp_path_factory.mktemp("cycles") / "set"
    done = CliRunner().invoke(cli, ["cycles", "-o", str(out), *SLOW])
    assert done.exit_code == 0, done.output
    return out, json.loads((out / "cycles.json").read_text()), done.output


def seen(clip: Clip, frame: int) -> Array:
    """Joints of a frame as seen from the figure's hips and heading."""
    turned = clip.moved(heading=-float(clip.headings()[frame])).world_positions[frame]
    return np.asarray(turned - turned[:1] * [1, 0, 1])


def test_every_motion_is_there_twice_and_listed(made: tuple[Path, dict[str, Any], str]) -> None:
    out, listing, printed = made
    names = {clip["name"] for clip in listing["clips"]}
    needed = {"idle", "walk", "back", "strafe_left", "strafe_right", "turn_left_90", "turn_right_180"}
    assert needed <= names and {name for name in names if name.startswith("walk_stop")}
    assert {"walk_start_left", "walk_start_right"} <= names, "further idles are made until both are found"
    for clip in listing["clips"]:
        for key in ("file", "in_place"):
            assert len(read_bvh(out / clip[key])) == clip["frames"]
        assert clip["name"] in printed
    assert len(listing["left_out"]) >= 4 and all("left out" in line for line in listing["left_out"])
    assert any("run at 9 m/s" in line and "has seen" in line for line in listing["left_out"])


def test_cycles_repeat_and_begin_as_the_left_foot_comes_down(made: tuple[Path, dict[str, Any], str]) -> None:
    out, listing, _ = made
    for entry in listing["clips"]:
        if entry["kind"] != "cycle":
            continue
        clip, still = read_bvh(out / entry["file"]), read_bvh(out / entry["in_place"])
        np.testing.assert_allclose(still.world_positions[0], still.world_positions[-1], atol=SAME)
        np.testing.assert_allclose(seen(clip, 0), seen(clip, -1), atol=SAME)
        assert entry["phase_down"]["left"] == 0.0 and 0.35 < entry["phase_down"]["right"] < 0.65, entry[
            "name"
        ]
        way = clip.ground_positions()[-1] - clip.ground_positions()[0]
        velocity = np.array([entry["velocity"]["left_m_s"], entry["velocity"]["forward_m_s"]])
        np.testing.assert_allclose(way / entry["seconds"], velocity, atol=0.01)
        assert np.hypot(*velocity) == pytest.approx(entry["speed_m_s"], abs=1e-3)
        assert entry["contacts_s"]["left"][0][0] == 0.0


def test_transitions_lead_from_one_motion_into_another(made: tuple[Path, dict[str, Any], str]) -> None:
    out, listing, _ = made
    clips = {entry["name"]: read_bvh(out / entry["file"]) for entry in listing["clips"]}
    for entry in listing["clips"]:
        if entry["kind"] not in ("start", "stop", "turn"):
            continue
        clip = clips[entry["name"]]
        for key, frame in (("from", 0), ("to", len(clip) - 1)):
            other = clips[entry[key]["clip"]]
            theirs = seen(other, entry[key]["frame"])
            np.testing.assert_allclose(seen(clip, frame), theirs, atol=2e-3, err_msg=entry["name"])
        steps = np.linalg.norm(np.diff(clip.world_positions, axis=0), axis=-1).max(1) * clip.fps
        assert steps.max() < 8.0, "nothing leaps"
        root = np.array(entry["root_x_z_degrees"])
        assert len(root) == len(clip) and abs(root[-1, 2] - entry["turned_degrees"]) < 0.1
        if entry["kind"] == "turn":
            angle = float(entry["name"].rpartition("_")[2]) * (1 if "left" in entry["name"] else -1)
            assert entry["turned_degrees"] == pytest.approx(angle, abs=0.1)
            turned = np.degrees(clip.headings()[-1] - clip.headings()[0])
            swayed = [clips[end["clip"]].headings()[end["frame"]] for end in (entry["from"], entry["to"])]
            assert turned == pytest.approx(angle + np.degrees(swayed[1] - swayed[0]), abs=0.5)


def test_starts_begin_with_their_foot(made: tuple[Path, dict[str, Any], str]) -> None:
    _, listing, _ = made
    starts = [entry for entry in listing["clips"] if entry["kind"] == "start"]
    assert starts
    for entry in starts:
        left = {foot: stands[0][1] for foot, stands in entry["contacts_s"].items()}
        assert min(left, key=lambda foot: left[foot]) == entry["name"].rpartition("_")[2]


def test_strafes_are_mirror_images(made: tuple[Path, dict[str, Any], str]) -> None:
    out, listing, _ = made
    named = {entry["name"]: entry for entry in listing["clips"]}
    one, other = named["strafe_left"], named["strafe_right"]
    assert one["frames"] == other["frames"] and one["velocity"]["left_m_s"] == -other["velocity"]["left_m_s"]
    clip, mirrored = read_bvh(out / one["in_place"]), read_bvh(out / other["in_place"]).mirrored()
    shift = round(other["phase_down"]["right"] * (one["frames"] - 1))
    hips = clip.world_positions[:-1, 0, 1]
    np.testing.assert_allclose(np.roll(mirrored.world_positions[:-1, 0, 1], -shift), hips, atol=2e-3)


def test_what_the_model_has_not_seen_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moglow.takes.cycle_set.SPEC", CycleSpec(turns=()))
    model = Checkpoint.read(PRETRAINED)
    metadata = model.control_range
    slow = replace(metadata, forward=0.5, backward=0.1, sideways=0.1)

    class Narrow:
        """The checkpoint with another control range."""

        def __getattr__(self, name: str) -> Any:
            return slow if name == "control_range" else getattr(model, name)

    assert isinstance(slow, ControlRange)
    pieces = list(cycle_set(Sampler.of(model, temperature=0.7), Narrow()))  # type: ignore[arg-type]
    lines = [piece for piece in pieces if isinstance(piece, str)]
    for name in GAITS:
        assert any(line.startswith(f"{name} at") and "has seen" in line for line in lines)
    names = [piece.name for piece in pieces if isinstance(piece, Piece)]
    assert names[0] == "idle" and not {"walk", "run", "back"} & set(names)


def test_wrong_words_are_one_line(tmp_path: Path) -> None:
    for words, message in (
        (["--speed", "wolk=1"], "no gait 'wolk'"),
        (["--speed", "walk=fast"], "0.2 to 12"),
        (["--format", "mp4"], "no such format"),
    ):
        done = CliRunner().invoke(cli, ["cycles", "-o", str(tmp_path / "set"), *words])
        assert done.exit_code == 1 and message in done.stderr and len(done.stderr.splitlines()) == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.bvh").write_text("mine")
    done = CliRunner().invoke(cli, ["cycles", "-o", str(tmp_path / "other")])
    assert done.exit_code == 1 and "holds mine.bvh of another program" in done.stderr
    assert (tmp_path / "other" / "mine.bvh").read_text() == "mine"
    assert speeds_of(("walk=1.5",)) == {"walk": 1.5}
