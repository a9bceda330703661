"""Preprocessing: from files to a corpus; reasons for dropped frames; the same bytes with any number of processes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.bvh.write import write_bvh
from moglow.cli.main import cli
from moglow.corpus.corpus import Corpus
from moglow.corpus.preprocess import preprocess
from moglow.corpus.sources import DataSpec, SourceSpec, find_sources, random_splits
from moglow.corpus.summary import Summary
from moglow.corpus.trimming import trim
from moglow.encodings.encoding import FeatureSpec
from moglow.errors import ClipError, ExportError, RecipeError
from moglow.maths.rotations import expmap_to_quat, heading_to_quat, quat_multiply
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.sampling.generate import PRETRAINED
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

SECONDS = 3.0


def weaving(speed: float, rig: str = "biped") -> Clip:
    """Returns a walk around a bend, in which every channel of the feet moves."""
    clip, _ = walk(skeleton_of(RIGS[rig]), seconds=SECONDS, speed=speed)
    turn, positions, rotations = (
        heading_to_quat(0.3 * clip.times),
        clip.positions.copy(),
        clip.rotations.copy(),
    )
    rotations[:, 0] = quat_multiply(turn, rotations[:, 0])
    positions[:, 0, 0] += 0.1 * clip.times**2
    return replace(clip, positions=positions, rotations=rotations)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four walks in two styles and three files of no use."""
    for name, speed in (("calm/a", 0.6), ("calm/b", 0.8), ("brisk/c", 1.2), ("brisk/d", 1.3)):
        path = tmp_path / "mocap" / f"{name}.bvh"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bvh(weaving(speed), path)
    write_bvh(weaving(1.0)[:10], tmp_path / "mocap" / "short.bvh")
    (tmp_path / "mocap" / "broken.bvh").write_text("HIERARCHY\nROOT Hips\n{")
    (tmp_path / "mocap" / "notes.txt").write_text("not a motion")
    splits = {"calm": {"train": ["a.bvh"], "val": ["b.bvh"]}, "brisk": {"train": ["c.bvh", "d.bvh"]}}
    (tmp_path / "mocap" / "splits.json").write_text(json.dumps(splits))
    return tmp_path / "mocap"


def leg_length(skeleton: Skeleton) -> float:
    return float(skeleton.bone_lengths[skeleton.role("left_foot")])


def build(
    folder: Path, data: DataSpec | None = None, features: FeatureSpec | None = None, workers: int = 1
) -> tuple[Corpus, Summary]:
    output, features = folder.parent / "made.corpus", features or FeatureSpec()
    steps = list(preprocess(data or DataSpec(), features, output, base=folder, workers=workers))
    assert [step.done for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].total == len(steps)
    summary = steps[-1].summary
    assert summary is not None and not any(step.summary for step in steps[:-1])
    return Corpus.open(output), summary


def test_a_folder_becomes_a_corpus(folder: Path) -> None:
    corpus, summary = build(folder)
    assert {s.name: (s.style, s.split) for s in corpus.stretches} == {
        "calm/a.bvh": ("calm", "train"),
        "calm/b.bvh": ("calm", "val"),
        "brisk/c.bvh": ("brisk", "train"),
        "brisk/d.bvh": ("brisk", "train"),
    }
    assert summary.clips == {"train": 3, "val": 1}
    assert summary.minutes["train"] == pytest.approx(3 * SECONDS / 60, abs=0.01)
    assert summary.speed[0] == pytest.approx(1.2, abs=0.2)
    dropped = dict(summary.dropped)
    assert dropped["short.bvh"] == "only 0.3 s long" and "broken.bvh" in dropped
    assert len(dropped) == 2 and all(name in str(summary) for name in dropped)


def test_the_motion_survives(folder: Path) -> None:
    corpus, _ = build(folder)
    stretch = next(s for s in corpus.stretches if s.name == "brisk/c.bvh")
    made, source = corpus.clip(stretch), weaving(1.2)
    hips = [clip.ground_positions() for clip in (made, source)]
    ways = [np.linalg.norm(np.diff(way, axis=0), axis=1) for way in hips]
    assert np.abs(ways[0] - ways[1]).max() < 1e-4


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_bytes(folder: Path) -> None:
    build(folder)
    alone = (folder.parent / "made.corpus").read_bytes()
    build(folder, workers=2)
    assert (folder.parent / "made.corpus").read_bytes() == alone


def test_other_skeletons_are_put_on_the_common_one(folder: Path) -> None:
    tall = weaving(1.0)
    tall = replace(tall, skeleton=tall.skeleton.scaled(1.2), positions=tall.positions * 1.2)
    write_bvh(tall, folder / "calm" / "tall.bvh")
    corpus, summary = build(folder)
    assert "calm/tall.bvh" in {s.name for s in corpus.stretches} and len(summary.dropped) == 2
    assert leg_length(corpus.encoding.skeleton) == pytest.approx(
        leg_length(skeleton_of(RIGS["biped"])), abs=1e-4
    )


def test_a_target_skeleton_is_used(folder: Path) -> None:
    small = Clip.at_rest(skeleton_of(RIGS["biped"]).scaled(0.5), frames=2)
    write_bvh(small, folder / "small.bvh", unit="m")
    corpus, _ = build(
        folder, DataSpec(sources=(SourceSpec("calm"), SourceSpec("brisk")), skeleton="small.bvh")
    )
    assert leg_length(corpus.encoding.skeleton) == pytest.approx(leg_length(small.skeleton), abs=1e-4)


def test_damage_is_cut_out_and_reported() -> None:
    clips = [weaving(speed) for speed in (0.6, 0.8, 1.0, 1.2)]
    encoding = FeatureSpec().fit(clips)
    rotations = clips[1].rotations.copy()
    arm, foot = clips[1].skeleton.role("left_upper_arm"), clips[1].skeleton.role("left_foot")
    rotations[40:44, arm] = expmap_to_quat(np.array([2.0, 0.0, 0.0]))  # away and back
    rotations[60:, foot] = expmap_to_quat(np.array([0.0, 3.0, 0.0]))  # to stay
    damaged = [clips[0], replace(clips[1], rotations=rotations), *clips[2:]]
    trimmed = trim(encoding, damaged, [True] * 4, outlier=15.0, shortest=0.5)
    assert [len(pieces) for pieces, _ in trimmed] == [1, 2, 1, 1]
    assert [len(piece) for piece in trimmed[1][0]] == [40, 16]
    assert "of 3.0 s: " in trimmed[1][1] and "jumps at frame" in trimmed[1][1]
    assert [reason for _, reason in trimmed[::2]] == ["", ""]
    assert trimmed[0][0][0].rotations is not None and len(trimmed[0][0][0]) == len(clips[0])


def test_training_clips_are_repeated_along_smoother_paths(folder: Path) -> None:
    usual, before = build(folder)
    corpus, summary = build(folder, DataSpec(smoother=(0.5,)))
    again = [stretch for stretch in corpus.stretches if stretch.again]
    assert [s.name for s in again] == [s.name for s in usual.split("train")]
    assert summary.minutes == before.minutes
    for stretch in again:
        recorded = next(s for s in corpus.split("train") if s.name == stretch.name)
        ways = [corpus.clip(each).ground_positions() for each in (recorded, stretch)]
        steps = [np.linalg.norm(np.diff(way, axis=0), axis=1) for way in ways]
        assert np.abs(steps[0] - steps[1]).max() < 2e-4  # the same motion
        rough, smooth = (np.ptp(corpus.features(each).control[:, 1]) for each in (recorded, stretch))
        assert smooth < rough  # along a path with less sway


def test_styles_come_from_names_too(folder: Path) -> None:
    spec = DataSpec(
        sources=(SourceSpec("brisk", style="fast"), SourceSpec("calm", style_from=r"(?P<style>[ab])\."))
    )
    styles = {source.name: source.style for source in find_sources(spec, folder)}
    assert styles == {"brisk/c.bvh": "fast", "brisk/d.bvh": "fast", "calm/a.bvh": "a", "calm/b.bvh": "b"}


def test_a_table_of_patterns_gives_styles(folder: Path) -> None:
    """The first matching pattern gives the style; without a match it is that of the folder."""
    table = {"sneak": ("a.*",), "any": ("a*", "c*")}
    spec = DataSpec(
        sources=(SourceSpec("calm", style="plain", styles=table), SourceSpec("brisk", styles=table))
    )
    styles = {source.name: source.style for source in find_sources(spec, folder)}
    assert styles == {"brisk/c.bvh": "any", "brisk/d.bvh": "", "calm/a.bvh": "sneak", "calm/b.bvh": "plain"}


def test_a_jump_of_a_hand_costs_no_more_than_the_cut() -> None:
    clips = [weaving(speed) for speed in (0.6, 0.8, 1.0, 1.2)]
    encoding = FeatureSpec().fit(clips)
    rotations, hand = clips[1].rotations.copy(), clips[1].skeleton.role("left_forearm")
    rotations[45:, hand] = quat_multiply(rotations[45:, hand], expmap_to_quat(np.array([1.3, 0.0, 0.0])))
    pieces, reason = trim(
        encoding,
        [clips[0], replace(clips[1], rotations=rotations), *clips[2:]],
        [True] * 4,
        outlier=60.0,
        shortest=0.5,
    )[1]
    kept = sum(map(len, pieces))
    assert kept >= 45, reason


def test_patterns_pick_and_skip(folder: Path) -> None:
    spec = DataSpec(sources=(SourceSpec(pattern="*/*.bvh", skip=("[ab].bvh",)),))
    assert [source.name for source in find_sources(spec, folder)] == ["brisk/c.bvh", "brisk/d.bvh"]


def test_a_random_share_of_files_is_held_out() -> None:
    names = [f"{i}.bvh" for i in range(100)]
    styles = dict.fromkeys(names, "walk")
    splits = random_splits(styles, 0.1)
    assert sorted(splits.values()).count("val") == 10
    assert splits == random_splits(dict.fromkeys(names[::-1], "walk"), 0.1)
    more = random_splits({**styles, "new.bvh": "walk"}, 0.1)
    assert sum(splits[name] != more[name] for name in names) <= 1
    assert set(random_splits(dict.fromkeys(names[:3], ""), 0.0).values()) == {"train"}
    alone = {name: name for name in names[:20]}  # each the only file of its style
    assert set(random_splits(alone, 0.5).values()) == {"train"}
    held = random_splits({**styles, **{"sly.bvh": "sly"}}, 0.99)
    assert held["sly.bvh"] == "train" and list(held.values()).count("train") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": (SourceSpec("gone"),)}, "no such folder"),
        ({"sources": (SourceSpec(pattern="*.c3d"),)}, r"no file matches \./\*\.c3d"),
        ({"shortest": 99.0}, "no clip to train on among 6 files .*s long"),
    ],
)
def test_impossible_recipes_are_refused(folder: Path, change: dict[str, object], message: str) -> None:
    data = DataSpec(**change)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=message):
        build(folder, data)


@pytest.mark.parametrize("text", ["[]", "{", '{"calm": ["a"]}', '{"calm": {"test": ["a.bvh"]}}'])
def test_a_bad_split_is_refused(folder: Path, text: str) -> None:
    (folder / "splits.json").write_text(text)
    with pytest.raises(RecipeError, match=r"splits\.json"):
        build(folder)


def test_impossible_values_are_refused() -> None:
    for change in ({"fps": 0.0}, {"held_out": 1.0}, {"outlier": 1.0}, {"sources": ()}):
        with pytest.raises(ValueError):
            DataSpec(**change)
    for pattern in ("(", "no group", "(" * 5000, "[[a](?P<style>x)", "a{99999999999}", "x" * 2000):
        with pytest.raises(ValueError, match="style_from"):
            SourceSpec(style_from=pattern)
    for files in ("", "/etc/*", "**.bvh", "../*.bvh", "a/../../*", "**/**/**/*.bvh", "a\0b"):
        with pytest.raises(ValueError, match=r"pattern|folder"):
            SourceSpec(pattern=files)
    with pytest.raises(ValueError, match="below the data root"):
        SourceSpec(folder="../elsewhere")


def test_a_folder_outside_the_root_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    with pytest.raises(RecipeError, match="is not below the data root"):
        find_sources(DataSpec(sources=(SourceSpec(str(outside)),)), folder)


def test_an_expression_that_never_ends_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ("a" * 60 + ".bvh")).write_text("")
    monkeypatch.setattr("moglow.corpus.sources.SEARCH_SECONDS", 1.0)
    with pytest.raises(RecipeError, match=r"style_from .* takes more than"):
        find_sources(DataSpec(sources=(SourceSpec(style_from=r"(?P<style>(a+)+)$"),)), folder)


def test_every_field_of_the_spec_matters(folder: Path) -> None:
    """Each changes the clips that are found, made or refused."""
    usual, _ = build(folder)
    for change in ({"fps": 20.0}, {"shortest": 0.2}, {"held_out": 0.5, "splits": "none.json"}):
        other, _ = build(folder, DataSpec(**change))
        assert (other.fps, other.stretches) != (usual.fps, usual.stretches)
    rotations = weaving(1.0).rotations.copy()
    rotations[30, 0] = quat_multiply(heading_to_quat(2.0), rotations[30, 0])
    write_bvh(replace(weaving(1.0), rotations=rotations), folder / "calm" / "spike.bvh")
    mended, raw = (build(folder, DataSpec(despike=despike))[0] for despike in (True, False))
    assert len(mended.pose) > len(raw.pose)
    rotations = weaving(1.3).rotations.copy()
    nods = 0.8 + 0.1 * np.sin(5 * weaving(1.3).times)  # of a head that hangs
    rotations[:, weaving(1.3).skeleton.role("head")] = expmap_to_quat(nods[:, None] * [1.0, 0.0, 0.0])
    write_bvh(replace(weaving(1.3), rotations=rotations), folder / "brisk" / "d.bvh")
    turns = [
        corpus.clip(next(s for s in corpus.stretches if s.name == "brisk/d.bvh")).world_rotations
        for corpus in (build(folder, features=FeatureSpec(level_heads=level))[0] for level in (False, True))
    ]
    assert np.abs(turns[0] - turns[1]).max() > 0.1
    tight, _ = build(folder, DataSpec(outlier=3.01, despike=False))
    assert len(tight.pose) < len(raw.pose)


def test_only_a_corpus_is_replaced(folder: Path) -> None:
    """A name that completes to another file must not cost that file."""
    other, model = folder.parent / "walk.bvh", folder.parent / "model.safetensors"
    other.write_text("HIERARCHY")
    model.write_bytes(PRETRAINED.read_bytes())
    for file in (other, model):
        content = file.read_bytes()
        with pytest.raises(ExportError, match=rf"{file.name}: is there and is no corpus.* give another name"):
            next(preprocess(DataSpec(), FeatureSpec(), file, base=folder))
        assert file.read_bytes() == content
    (folder.parent / "made.corpus").touch()
    for _ in range(2):  # an empty file and a corpus are replaced
        assert len(build(folder)[0].pose)


def test_a_rate_that_leaves_one_frame_is_refused(folder: Path) -> None:
    with pytest.raises(ClipError, match=r"1 frames of training motion, expected at least 2; give more of it"):
        build(folder, DataSpec(fps=0.001, sources=(SourceSpec(folder="calm", pattern="a.*"),)))
    assert not (folder.parent / "made.corpus").exists()


def test_the_command(folder: Path) -> None:
    recipe = folder.parent / "recipe.toml"
    recipe.write_text(
        '[data]\nroot = "elsewhere"\n[[data.sources]]\nfolder = "calm"\nlicence = "ours"\n'
        '[features]\nencoding = "rotations"\n'
    )
    output = folder.parent / "out.corpus"
    arguments = ["preprocess", str(recipe), "-o", str(output), "--data", str(folder), "--workers", "1"]
    result = CliRunner().invoke(cli, [*arguments, "--json", "--set", "features.contacts=true"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.output)
    assert summary["clips"] == {"train": 1, "val": 1} and summary["notices"] == ["ours"]
    spec = Corpus.open(output).encoding.spec
    assert (spec.encoding, spec.contacts) == ("rotations", True)
    plain = CliRunner().invoke(cli, ["preprocess", str(folder), "-o", str(output), "--workers", "1"])
    assert plain.exit_code == 0 and "3 clips" in plain.output and "short.bvh: only 0.3 s long" in plain.output
    wrong = CliRunner().invoke(cli, ["preprocess", str(recipe), "-o", str(output)])
    assert wrong.exit_code == 1 and "elsewhere/calm: no such folder" in wrong.output


@pytest.mark.slow
def test_the_real_recipes_find_their_files(shared_data: Path) -> None:
    from moglow.recipe import read_recipe

    root = Path(__file__).resolve().parents[2] / "data"
    recipes = ("open/recipe", 126, 19), ("open/wide", 574, 76), ("bandai/recipe", 361, 34)
    for name, train, held_out in recipes:
        recipe = root / f"{name}.toml"
        data = read_recipe(recipe).section("data", DataSpec)
        splits = [source.split for source in find_sources(data.at(shared_data / "locomotion"), recipe.parent)]
        assert (splits.count("train"), splits.count("val")) == (train, held_out)


def test_real_clips_of_three_skeletons_become_one_corpus(shared_data: Path, tmp_path: Path) -> None:
    figure = Path(__file__).resolve().parents[2] / "data" / "samples" / "figure.bvh"
    data = DataSpec(root=str(shared_data / "tiny"), sources=(SourceSpec("open"),), skeleton=str(figure))
    steps = list(preprocess(data, FeatureSpec(), tmp_path / "tiny.corpus"))
    corpus, summary = Corpus.open(tmp_path / "tiny.corpus"), steps[-1].summary
    assert summary is not None and not summary.dropped
    assert len(corpus.stretches) == 7 and corpus.split("val")
    assert 0.4 < sum(summary.minutes.values()) < 0.6
