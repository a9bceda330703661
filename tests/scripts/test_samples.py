"""Our own clips: feet that never slide, contacts that are exact, paths that are followed, the same files each time."""

import json
from pathlib import Path

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.maths.rotations import Array, quat_rotate
from moglow.maths.signals import Flags
from moglow.motion.clip import Clip
from moglow.motion.contacts import contacts, legs_of, toe_points
from moglow.paths.control_path import ControlPath
from moglow.paths.csv_files import read_path
from moglow.paths.presets import PRESETS, preset
from scripts import make_samples
from scripts.procedural.figure import make_figure
from scripts.procedural.gaits import Manner
from scripts.procedural.hound import trot
from scripts.procedural.synthetic_clip import SyntheticClip
from scripts.procedural.walker import walk

ROOT = Path(__file__).resolve().parents[2]
SAMPLES, CONTROLS = ROOT / "data" / "samples", ROOT / "data" / "controls"
NAMES = sorted(file.name.removesuffix(".contacts.json") for file in SAMPLES.glob("*.contacts.json"))
EXACT = 1e-9  # metres, in memory
PRINTED = 1e-5  # metres, through the digits of a file
SOLE = 0.02  # metres: the ball of every foot is that high over the floor when it stands
every_sample = pytest.mark.parametrize("name", NAMES)


def make(name: str, *, seed: int = 0) -> SyntheticClip:
    """Returns a walk along a preset, or a trot of the hound for its name."""
    mover, text = (trot, name.removeprefix("trot ")) if name.startswith("trot ") else (walk, name)
    return mover(preset(text, 30.0), generator=np.random.default_rng(seed))


def toes_of(recording: SyntheticClip) -> Array:
    """Returns the world positions ``(T, L, 3)`` of the toes."""
    skeleton = recording.clip.skeleton
    toes: Array = recording.clip.world_positions[:, [skeleton.index(toe) for toe in recording.toes]]
    return toes


def truth(name: str, clip: Clip) -> Flags:
    """Returns the exact contacts ``(T, L)`` of a committed clip, legs in the order of its skeleton."""
    stands = json.loads((SAMPLES / f"{name}.contacts.json").read_text())["contacts"]
    flags = np.zeros((len(clip), len(stands)), bool)
    for column, leg in enumerate(legs_of(clip.skeleton)):
        for first, last in stands[clip.skeleton.names[leg.toe or leg.ankle]]:
            flags[first : last + 1, column] = True
    return flags


@pytest.mark.parametrize(
    "name", [*PRESETS, "line:speed=3,length=12", "trot line:speed=1.6", "trot figure8", "trot stand"]
)
def test_planted_toes_never_move_and_nothing_is_below_the_floor(name: str) -> None:
    recording = make(name)
    toes, planted = toes_of(recording), recording.contacts
    still = planted[1:] & planted[:-1]
    assert still.mean() > 0.3
    assert np.abs(np.diff(toes, axis=0)[still]).max() < EXACT
    assert np.allclose(toes[..., 1][planted], SOLE, atol=EXACT)
    lowest = np.concatenate([recording.clip.world_positions, recording.clip.end_positions()], axis=1)[
        ..., 1
    ].min()
    assert lowest > 0


def test_the_same_seed_makes_the_same_motion_and_another_one_another() -> None:
    first, again, other = (make("circle", seed=seed).clip.rotations for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.allclose(first, other, atol=1e-3)


@pytest.mark.parametrize(
    "name", ["line", "figure8", "side", "back", "line:speed=3,length=12", "trot square:side=4"]
)
def test_the_hips_follow_the_path_but_for_their_sway(name: str) -> None:
    recording = make(name)
    path = ControlPath.from_clip(recording.clip)
    apart = np.linalg.norm(path.positions - recording.path.positions, axis=-1)
    assert apart.mean() < 0.04 and apart.max() < 0.12
    assert np.abs(path.headings - recording.path.headings).mean() < np.radians(4)


@pytest.mark.parametrize("name", ["line", "circle", "line:speed=3,length=12", "back"])
def test_knees_bend_forward_and_not_too_far(name: str) -> None:
    recording = make(name)
    positions = recording.clip.world_positions
    skeleton = recording.clip.skeleton
    for leg in skeleton.anatomy.legs:
        hip, knee, ankle = positions[:, leg.hip], positions[:, leg.knee], positions[:, leg.ankle]
        ahead = quat_rotate(recording.path.frames()[1], [0.0, 0.0, 1.0])
        assert np.sum((knee - (hip + ankle) / 2) * ahead, axis=-1).min() > 0
        longest = skeleton.bone_lengths[[leg.knee, leg.ankle]].sum()
        reach = np.linalg.norm(hip - ankle, axis=-1) / longest
        assert reach.min() > 0.4 and reach.max() < 0.999


def test_a_run_flies_and_a_walk_does_not() -> None:
    run, walked = make("line:speed=3,length=12"), make("line")
    assert not run.contacts[120:180].any(axis=1).all()
    assert walked.contacts.any(axis=1).all()


def test_in_a_trot_diagonal_legs_stand_together() -> None:
    recording = make("trot line:speed=1.6,length=8")
    stands = dict(zip(recording.toes, recording.contacts.T, strict=True))
    assert (stands["LeftFrontToe"] == stands["RightHindToe"]).mean() > 0.9
    assert (stands["LeftFrontToe"] == stands["LeftHindToe"])[60:150].mean() < 0.4


def test_every_manner_shows() -> None:
    path = preset("circle", 30.0)
    usual = walk(path, generator=np.random.default_rng(0)).clip.rotations
    for field, value in vars(Manner()).items():
        changed = walk(
            path, Manner(**{field: value * 1.5 + 0.02}), generator=np.random.default_rng(0)
        ).clip.rotations
        assert not np.allclose(changed, usual, atol=1e-3), field


def test_wanderings_have_the_stated_properties() -> None:
    recordings = [recording for _, recording in make_samples.make_many(2.0, seed=1)]
    for recording in recordings:
        still = recording.contacts[1:] & recording.contacts[:-1]
        assert np.abs(np.diff(toes_of(recording), axis=0)[still]).max() < EXACT
    forward, sideways, turn = np.concatenate([recording.path.velocities() for recording in recordings]).T
    assert forward.max() > 2.4 and forward.min() < -0.3
    assert np.abs(sideways).max() > 0.25 and np.abs(turn).max() > 0.8


@every_sample
def test_committed_contacts_are_exact(name: str) -> None:
    clip = read_bvh(SAMPLES / f"{name}.bvh")
    planted = truth(name, clip)
    toes = toe_points(clip)
    for column in range(planted.shape[1]):
        for first, last in _runs(planted[:, column]):
            assert np.ptp(toes[first : last + 1, column], axis=0).max() < 2 * PRINTED
    flying = ~planted & ~np.roll(planted, 1, axis=0) & ~np.roll(planted, -1, axis=0)
    moved = np.linalg.norm(np.diff(toes, axis=0), axis=-1)[flying[1:]]
    assert (moved > 1e-3).mean() > 0.8  # what is no contact really moves, but for the pause before a step


@every_sample
def test_the_contact_detector_finds_the_exact_contacts(name: str) -> None:
    """It also counts the moment in which a heel has struck and the ball is on its way down."""
    clip = read_bvh(SAMPLES / f"{name}.bvh")
    found, exact = contacts(clip), truth(name, clip)
    assert (found & exact).sum() / exact.sum() > 0.95
    assert (found & exact).sum() / found.sum() > 0.75


@every_sample
def test_committed_paths_are_those_of_the_clips(name: str) -> None:
    clip, path = read_bvh(SAMPLES / f"{name}.bvh"), read_path(CONTROLS / f"{name}.csv")
    assert len(path) == len(clip) and path.fps == pytest.approx(clip.fps)
    apart = np.linalg.norm(ControlPath.from_clip(clip).positions - path.positions, axis=-1)
    assert apart.max() < 0.12


@pytest.mark.parametrize("file", sorted(CONTROLS.glob("*.csv")), ids=lambda file: file.stem)
def test_every_committed_control_can_be_walked(file: Path) -> None:
    path = read_path(file, fps=30.0)
    velocities = path.velocities()
    assert path.duration > 3 and np.abs(velocities[:, 0]).max() < 3.5 and np.abs(velocities[:, 2]).max() < 2.0


def test_the_script_makes_the_committed_files_again(tmp_path: Path) -> None:
    """To a hundredth of a millimetre and degree; the last printed digit may depend on the processor."""
    for name, recording in make_samples.make_committed():
        make_samples.write_sample(name, recording, tmp_path, tmp_path)
        for file, folder in ((f"{name}.bvh", SAMPLES), (f"{name}.csv", CONTROLS)):
            made, committed = (_words(where / file) for where in (tmp_path, folder))
            assert len(made) == len(committed), file
            for a, b in zip(made, committed, strict=True):
                assert a == b or abs(float(a) - float(b)) < 1e-3
        contacts_file = f"{name}.contacts.json"
        assert (tmp_path / contacts_file).read_text() == (SAMPLES / contacts_file).read_text()


def test_the_committed_figure_is_the_figure() -> None:
    clip = read_bvh(SAMPLES / "figure.bvh")
    assert clip.skeleton.names == make_figure().names and clip.skeleton.parents == make_figure().parents
    assert np.allclose(clip.skeleton.offsets, make_figure().offsets, atol=EXACT)
    heights = np.concatenate([clip.world_positions, clip.end_positions()], axis=1)[0, :, 1]
    assert heights.min() == pytest.approx(0.02, abs=PRINTED) and heights.max() == pytest.approx(
        1.72, abs=PRINTED
    )


def test_the_samples_stay_small() -> None:
    assert sum(file.stat().st_size for file in (*SAMPLES.iterdir(), *CONTROLS.iterdir())) < 1_000_000


def _runs(flags: Flags) -> list[list[int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]]))).reshape(-1, 2)
    return [[int(first), int(after) - 1] for first, after in edges]


def _words(file: Path) -> list[str]:
    return file.read_text().replace(",", " ").split()
