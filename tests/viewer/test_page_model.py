"""The scripts of a page, run in node, equal their originals: sampler, body, steering, paths and files."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.bvh.read import read_bvh
from moglow.checkpoint import Checkpoint
from moglow.encodings.encoding import FeatureSpec
from moglow.encodings.feet_first import FeetFirstChart
from moglow.errors import CheckpointError, ControlError, ExportError
from moglow.maths.rotations import Array, euler_to_quat, quat_angle
from moglow.motion.clip import Clip
from moglow.paths.control_path import SMOOTHING, ControlPath
from moglow.paths.csv_files import read_path
from moglow.paths.pace import Curve, Pace, follow
from moglow.paths.steering import Moving, Steering, walked
from moglow.sampling.fast.arithmetic import NumpyArithmetic
from moglow.sampling.generate import PRETRAINED
from moglow.sampling.label_change import relabelled
from moglow.sampling.sampler import Past, Sampler
from moglow_viewer.play.packed_model import pack_model
from moglow_viewer.play.play_page import bvh_facts, figure_facts, make_play_page, write_play_page
from moglow_viewer.play.twisting import twisted
from tests.encodings.test_encodings import biped, quadruped, wander
from tests.sampling.test_sampler import make_checkpoint
from tests.support.browsing import OUTSIDE
from tests.support.rigs import RIGS
from tests.support.scripts import ask, needs_node
from tests.support.walking import skeleton_of, walk

ROUNDING = 2e-5  # standard deviations, metres, radians: singles against doubles
FED_BACK = 2e-4  # the same where a hundred frames each build on those before
PRINTED = 2e-6  # radians and metres of what is printed with six digits
TURNS = [[1.0, 0, 0]] * 40 + [[0.4, 0.3, 1.0]] * 40 + [[-0.5, 0, 0]] * 20

UNPACK = """
    const { model } = input, arrays = unpackArrays(model.arrays, await inflate(model.data));
    const sampler = new Sampler(arrays, model), body = new Body(arrays, input.figure);
"""
SAMPLE = """
    const zeros = new Float32Array(sampler.flow.pose_dim), rest = new Float32Array(3);
    const steering = new Steering(input.steering);
    const poses = Array(sampler.history).fill(zeros), controls = Array(sampler.history).fill(rest);
    let past = { poses, controls, memory: sampler.flow.initial() }, moving = RESTING, aside = false, place = [0, 0, 0];
    return input.wanted.map((wanted, frame) => {
        const ahead = steering.ahead(moving, wanted, 1 + sampler.lookahead);
        aside = steering.aside(ahead, aside);
        moving = steering.step(moving, wanted);
        place = walked(place, moving.velocities, sampler.fps);
        const noise = Float32Array.from(input.noise[frame]);
        const made = sampler.step(past, ahead, noise, sampler.style(input.styles[frame], aside), 0.7);
        past = made.past;
        const shown = body.twisted(body.decode(made.pose, place), steering.twisting(moving));
        return [made.pose, body.stand(shown), place].map((values) => [...values]);
    });
"""


def in_node(checkpoint: Checkpoint, **given: Any) -> Any:
    """Returns the result of `SAMPLE` in the scripts of a page, without a page."""
    chart = checkpoint.context.encoding.chart
    assert isinstance(chart, FeetFirstChart)
    model, figure = pack_model(checkpoint), figure_facts(chart)
    return ask("motion model body steering", UNPACK + SAMPLE, model=model, figure=figure, **given)


def halved(checkpoint: Checkpoint) -> Checkpoint:
    """Returns the checkpoint as read from a file written with ``half``."""
    weights = {
        name: array.astype(np.float16).astype(np.float32) if array.dtype == np.float32 else array
        for name, array in checkpoint.weights.items()
    }
    return replace(checkpoint, weights=weights)


def compared(
    checkpoint: Checkpoint,
    wanted: Sequence[Any],
    *styles: str | None,
    answer: Callable[..., Any] = in_node,
) -> tuple[Array, Array, Array]:
    """Returns the largest differences of poses, points and places ``(T,)`` between a page's model and ours.

    The styles have equal shares of the frames.
    """
    context, sampler = (
        checkpoint.context,
        Sampler.of(checkpoint, temperature=0.7, arithmetic=NumpyArithmetic()),
    )
    steering = Steering(checkpoint.control_range, context.fps)
    noise = np.random.default_rng(0).standard_normal((len(wanted), 1, sampler.model.noise_dim), np.float32)
    each = [styles[frame * len(styles) // len(wanted)] for frame in range(len(wanted))]
    given = {"steering": asdict(steering), "wanted": wanted, "noise": noise[:, 0].tolist(), "styles": each}
    answers = answer(checkpoint, **given)
    history = context.spec.history
    past = Past(
        np.zeros((1, history, context.pose_dim), np.float32),
        np.zeros((1, history, 3), np.float32),
        sampler.model.initial_state(),
    )
    moving, rows = Moving(), []
    place: Array = np.zeros(3)
    former, aside = None, False
    for wish, dice, style, theirs in zip(wanted, noise, each, answers, strict=True):
        coming = steering.ahead(moving, wish, 1 + context.spec.lookahead)
        aside = steering.aside(coming, aside)
        label = context.label_vector(style, aside=aside)[None]
        memory, change = relabelled(context, past.change, past.memory, former, label)
        past, former = replace(past, memory=memory, change=change), label
        moving = steering.step(moving, wish)
        place = walked(place, moving.velocities, context.fps)
        controls = context.standardize_control(coming).astype(np.float32)
        past, pose, _ = sampler.step(past, controls[None], dice, label)
        at, turns = context.encoding.decode_frames(pose[0], place[:2], place[2])
        turns = twisted(turns, checkpoint.skeleton, steering.twisting(moving))
        world = checkpoint.skeleton.forward_kinematics(at, turns)
        points = np.concatenate([world[0], checkpoint.skeleton.end_positions(*world)])
        ours = (pose[0] / context.pose_deviation, points.ravel(), place)
        theirs = (np.array(theirs[0]) / context.pose_deviation, *theirs[1:])
        rows.append([np.abs(a - np.array(b)).max() for a, b in zip(ours, theirs, strict=True)])
    poses, points, places = np.array(rows).T
    return poses, points, places


@needs_node
def test_the_shipped_model_moves_on_a_page_as_it_does_here() -> None:
    checkpoint = Checkpoint.read(PRETRAINED)
    poses, points, places = compared(checkpoint, TURNS, (None, *checkpoint.context.styles)[-1])
    assert poses.max() < FED_BACK and points.max() < FED_BACK and places.max() < 1e-12


@needs_node
def test_a_style_changes_on_a_page_as_it_does_here() -> None:
    checkpoint = Checkpoint.read(PRETRAINED)
    poses, points, _ = compared(checkpoint, [[1.0, 0, 0]] * 90, "neutral", "carrying", "neutral")
    assert poses.max() < FED_BACK and points.max() < FED_BACK


@needs_node
@pytest.mark.parametrize("latent", ["normal", "student"])
@pytest.mark.parametrize(
    ("scale", "encoder", "layers"), [("paper", (), 2), ("bounded", (8,), 1), ("paper", (8, 6), 2)]
)
def test_every_model_that_a_page_takes(
    latent: str, scale: str, encoder: tuple[int, ...], layers: int
) -> None:
    checkpoint = make_checkpoint(2, latent=latent, scale=scale, encoder=encoder, layers=layers)
    wanted = [[1.0, 0, 0]] * 12
    poses, points, _ = compared(halved(checkpoint), wanted, "calm")
    assert poses.max() < ROUNDING and points.max() < ROUNDING
    rounded, _, _ = compared(checkpoint, wanted, "calm")
    assert ROUNDING < rounded.max() < 0.02  # single weights travel as halves: some thousandths of a deviation


def hinged() -> Clip:
    """Elbows that turn about two axes only, so that a polynomial says their third number."""
    clip = wander(biped(), frames=600)
    swings = np.stack([0.8 * np.sin(np.arange(600) / 9), 0.5 * np.cos(np.arange(600) / 7)], axis=-1)
    rotations = clip.rotations.copy()
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        turns = euler_to_quat(swings * [sign, 1.0], "ZX")
        rotations[:, clip.skeleton.index(f"{side}ForeArm")] = turns
    return replace(clip, rotations=rotations)


@needs_node
@pytest.mark.parametrize(
    "clip",
    [
        pytest.param(hinged(), id="channels that follow from others"),
        pytest.param(wander(quadruped()), id="legs on shoulder blades"),
        pytest.param(walk(skeleton_of(RIGS["bandai"]), seconds=2.0)[0], id="hips that move below a root"),
    ],
)
def test_bodies_of_all_kinds_stand_on_a_page_as_they_do_here(clip: Clip) -> None:
    encoding = FeatureSpec().fit([clip])
    chart = encoding.chart
    assert isinstance(chart, FeetFirstChart)
    seen = encoding.features(clip).pose[::6]
    poses = seen + 0.1 * np.random.default_rng(1).normal(size=seen.shape)
    places = np.random.default_rng(2).normal(size=(len(poses), 3))
    checkpoint = make_checkpoint()
    packed = pack_model(replace(checkpoint, context=replace(checkpoint.context, encoding=encoding)))
    points = ask(
        "motion model body",
        """const arrays = unpackArrays(input.model.arrays, await inflate(input.model.data));
           const body = new Body(arrays, input.figure);
           return input.poses.map((pose, k) => body.stand(body.decode(Float64Array.from(pose), input.places[k])));""",
        model=packed, figure=figure_facts(chart), poses=poses, places=places,
    )  # fmt: skip
    world = encoding.skeleton.forward_kinematics(*encoding.decode_frames(poses, places[:, :2], places[:, 2]))
    expected = np.concatenate([world[0], encoding.skeleton.end_positions(*world)], axis=1)
    assert np.abs(np.reshape(points, expected.shape) - expected).max() < ROUNDING


@needs_node
def test_a_stick_steers_as_in_python() -> None:
    steering = Steering(make_checkpoint().control_range, 20.0)
    sticks = [
        dict(zip(("forward", "sideways", "turn", "hurry"), stick, strict=True))
        for stick in np.random.default_rng(0).uniform(-1, 2, (30, 4)).round(3).tolist()
    ]
    answers = ask(
        "motion steering",
        """const steering = new Steering(input.steering); let moving = RESTING, aside = false;
           return input.sticks.map((stick) => {
               const wanted = steering.wanted(stick), coming = steering.ahead(moving, wanted, 4);
               moving = steering.step(moving, wanted);
               let coasting = moving, coasted = 0;
               for (let k = 0; k < 2000; k++) {
                   coasting = steering.held(coasting, [0, 0, 0], 0.005);
                   coasted += 0.005 * coasting.velocities[2];
               }
               const coast = steering.coast(moving)[2];
               aside = steering.aside(coming, aside);
               return [[wanted, ...coming, moving.velocities, moving.accelerations], coast, coasted, aside];
           });""",
        steering=asdict(steering), sticks=sticks,
    )  # fmt: skip
    moving, aside, sides = Moving(), False, 0
    for stick, (theirs, coast, coasted, to_a_side) in zip(sticks, answers, strict=True):
        wanted = steering.wanted(**stick)
        coming = steering.ahead(moving, wanted, 4)
        moving = steering.step(moving, wanted)
        ours = [wanted, *coming, moving.velocities, moving.accelerations]
        assert np.allclose(theirs, ours, atol=1e-12)
        assert coast == pytest.approx(coasted, abs=0.01)
        aside = steering.aside(coming, aside)
        assert to_a_side == aside
        sides += aside
    assert 3 < sides < len(sticks) - 3


@needs_node
def test_a_drawn_line_is_walked_as_in_python() -> None:
    """The curve is the page's own; at what pace it is walked is ours."""
    angle = np.linspace(0, 4.0, 60)
    drawn = np.stack([1.5 * np.sin(angle), 1.5 - 1.5 * np.cos(angle)], axis=-1)
    drawn += 0.02 * np.random.default_rng(0).normal(size=drawn.shape)
    answer = ask(
        "motion drawn",
        """const curve = curveFrom([0, 0, -2], input.drawn), path = follow(curve, 30, input.pace);
           return { ...curve, ...path, velocities: velocitiesOf(path, 30) };""",
        drawn=drawn, pace=asdict(Pace()) | {"smoothing": SMOOTHING},
    )  # fmt: skip
    nodes, directions = np.array(answer["nodes"]), np.array(answer["directions"])
    smooth = Curve.through(nodes[1:])
    assert np.allclose(np.unwrap([-2.0, *smooth.directions]), directions, atol=1e-9)
    path = follow(Curve(nodes, directions), fps=30.0)
    assert np.allclose(path.positions, answer["positions"], atol=1e-9)
    assert np.allclose(path.headings, answer["headings"], atol=1e-9)
    assert np.allclose(path.velocities()[1:], answer["velocities"][1:], atol=1e-7)
    assert path.headings[0] == pytest.approx(-2.0, abs=1e-6)  # it first turns on the spot
    assert np.linalg.norm(path.positions[-1] - drawn[-1]) < 0.01
    away = np.linalg.norm(nodes[:, None] - drawn, axis=-1).min(1).max()
    assert away < 0.1  # smoothed, and still the line that was drawn


@needs_node
def test_a_tap_is_no_path() -> None:
    assert ask("motion drawn", "return curveFrom([0, 0, 0], [[0.1, 0], [0.1, 0.1]])") is None


@needs_node
def test_saved_files_contain_the_walk(tmp_path: Path) -> None:
    checkpoint = Checkpoint.read(PRETRAINED)
    chart = checkpoint.context.encoding.chart
    assert isinstance(chart, FeetFirstChart)
    generator, frames = np.random.default_rng(0), 40
    path = ControlPath.from_velocities(np.tile([1.0, 0.2, 4.0], (frames, 1)), 30.0)
    poses = checkpoint.context.pose_mean + 1.5 * np.cumsum(
        0.1
        * checkpoint.context.pose_deviation
        * generator.normal(size=(frames, checkpoint.context.pose_dim)),
        0,
    )
    files = ask(
        "motion model body recording",
        """const arrays = unpackArrays(input.model.arrays, await inflate(input.model.data));
           const body = new Body(arrays, input.figure), recording = new Recording(30);
           input.poses.forEach((pose, k) => {
               const { turns, at } = body.decode(Float64Array.from(pose), input.places[k]);
               recording.add(turns, at, input.places[k], k < 20 ? "cmu" : "snu");
           });
           return { bvh: recording.toBvh(input.bvh), csv: recording.toCsv() };""",
        model=pack_model(checkpoint), figure=figure_facts(chart), bvh=bvh_facts(chart.body), poses=poses,
        places=np.column_stack([path.positions, path.headings]),
    )  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"walk.{name}").write_text(text)
    clip, expected = read_bvh(tmp_path / "walk.bvh"), checkpoint.context.encoding.decode(poses, path)
    assert clip.skeleton.names == expected.skeleton.names and clip.fps == pytest.approx(30.0)
    assert np.abs(clip.world_positions - expected.world_positions).max() < 1e-4
    assert quat_angle(clip.rotations, expected.rotations).max() < PRINTED
    degrees = np.loadtxt((tmp_path / "walk.bvh").read_text().splitlines()[-frames:])[:, 3:]
    assert np.abs(np.diff(degrees, axis=0)).max() < 120  # the heading goes round, the angles do not jump
    control = read_path(tmp_path / "walk.csv")
    assert np.abs(control.positions - path.positions).max() < PRINTED
    assert np.abs(control.headings - path.headings).max() < PRINTED
    assert control.styles is not None and control.styles[19:21] == ("cmu", "snu")


@needs_node
def test_random_numbers_are_standard_normal_and_repeatable() -> None:
    numbers = np.array(
        ask("model", "const dice = new Dice(3); return [...Array(400)].map(() => dice.normals(50))")
    )
    again = ask("model", "const dice = new Dice(3); return dice.normals(50)")
    others = ask("model", "const dice = new Dice(4); return dice.normals(50)")
    assert again == numbers[0].tolist() and others != again
    assert abs(numbers.mean()) < 0.03 and abs(numbers.std() - 1) < 0.02
    assert abs(np.mean(np.abs(numbers) > 1.96) - 0.05) < 0.005
    assert abs(np.corrcoef(numbers.ravel()[:-1], numbers.ravel()[1:])[0, 1]) < 0.03


# ---- the page as a file ----


def page_of(checkpoint: Checkpoint, **options: Any) -> str:
    return make_play_page(
        checkpoint, **{"temperature": 0.7, "style": None, "seed": 0, "title": "play", **options}
    )


def test_the_page_is_one_file_of_a_few_megabytes_that_asks_for_nothing() -> None:
    page = page_of(Checkpoint.read(PRETRAINED), title="<u>${data}</u>")
    assert len(page) < 15e6 and "default-src 'none'" in page and "<u>" not in page
    assert not OUTSIDE.search(page)


def test_the_same_checkpoint_gives_the_same_bytes() -> None:
    checkpoint = make_checkpoint()
    assert page_of(checkpoint) == page_of(checkpoint) != page_of(checkpoint, seed=1)


def test_models_that_a_page_cannot_play_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="LSTM conditioners"):
        page_of(make_checkpoint(conditioner="gru"))
    clip = walk(skeleton_of(RIGS["biped"]), seconds=2.0, fps=20.0)[0]
    checkpoint = make_checkpoint()
    turning = replace(checkpoint.context, encoding=FeatureSpec("rotations").fit([clip]))
    with pytest.raises(CheckpointError, match="'rotations'"):
        page_of(replace(checkpoint, context=turning))
    with pytest.raises(ControlError, match="no style is called"):
        page_of(checkpoint, style="waltz")
    with pytest.raises(ExportError, match=r"ends in \.html"):
        write_play_page(checkpoint, tmp_path / "play.bvh", temperature=0.7)
    assert list(tmp_path.iterdir()) == []
