"""`moglow.js`: the module's poses against the numpy sampler's, its foot lock, its types, and three.js in a browser."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.formats.export import export
from moglow.maths.rotations import Array
from moglow.motion.clip import Clip
from moglow.sampling.generate import PRETRAINED
from moglow_viewer.module.javascript import EXPORTS, module_text, write_module
from moglow_viewer.module.weights import model_facts, write_weights
from tests.sampling.test_sampler import make_checkpoint
from tests.support.scripts import needs_node
from tests.support.serving import serving
from tests.viewer.test_page_model import FED_BACK, ROUNDING, compared, halved

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "three"
LARGEST = 60_000  # bytes of the module

ASK = """
import { readFileSync } from "node:fs";
import * as moglow from "./moglow.mjs";
const { ask, ...input } = JSON.parse(readFileSync(0, "utf-8"));
const answer = await new Function("moglow", "input", `return (async () => {${ask}})()`)(moglow, input);
process.stdout.write(JSON.stringify(answer, (_, value) => (ArrayBuffer.isView(value) ? [...value] : value)));
"""


def ask(folder: Path, body: str, **given: Any) -> Any:
    """Returns the answer of a function's body that knows the module as ``moglow``, in node."""
    write_module(folder / "moglow.mjs")
    (folder / "ask.mjs").write_text(ASK)
    done = subprocess.run(
        ["node", folder / "ask.mjs"],
        input=json.dumps({"ask": body, **given}, default=lambda array: np.asarray(array).tolist()),
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SAMPLE = """
    const model = await moglow.loadModel(input.file), { sampler, body, steering } = model;
    const walker = model.walker({ style: input.styles[0], temperature: 0.7, footLock: false });
    const zeros = new Float32Array(sampler.flow.pose_dim), rest = new Float32Array(3);
    walker.past = { poses: Array(sampler.history).fill(zeros), controls: Array(sampler.history).fill(rest),
                    memory: sampler.flow.initial() };
    let moving = moglow.RESTING;
    return input.wanted.map((wanted, frame) => {
        const coming = steering.ahead(moving, wanted, 1 + model.lookahead);
        moving = steering.step(moving, wanted);
        const made = walker.advance(coming, Float32Array.from(input.noise[frame]), steering.twisting(moving));
        return [made.pose, walker.points(made), made.place].map((values) => [...values]);
    });
"""


@needs_node
@pytest.mark.parametrize("latent", ["normal", "student"])
def test_a_figure_moves_as_it_does_here(tmp_path: Path, latent: str) -> None:
    def answer(checkpoint: Checkpoint, **given: Any) -> Any:
        return ask(tmp_path, SAMPLE, file=model_facts(checkpoint), **given)

    checkpoint = halved(make_checkpoint(2, latent=latent))
    poses, points, places = compared(checkpoint, [[1.0, 0, 0.5]] * 20, "calm", answer=answer)
    assert poses.max() < ROUNDING and points.max() < ROUNDING and places.max() < 1e-12


@needs_node
def test_the_shipped_model_moves_as_it_does_here(tmp_path: Path) -> None:
    checkpoint = Checkpoint.read(PRETRAINED)
    wanted = [[1.0, 0, 0]] * 20 + [[0.4, 0.3, 1.0]] * 20 + [[0, 0.5, 0]] * 20

    def answer(checkpoint: Checkpoint, **given: Any) -> Any:
        return ask(tmp_path, SAMPLE, file=model_facts(checkpoint), **given)

    poses, points, places = compared(checkpoint, wanted, checkpoint.context.styles[-1], answer=answer)
    assert poses.max() < FED_BACK and points.max() < FED_BACK and places.max() < 1e-12


WALK = """
    const model = await moglow.loadModel(input.file), toes = model.facts.figure.toes;
    const at = (frame, walker) => {
        const points = walker.points(frame);
        return toes.map((toe) => [...points.subarray(3 * toe, 3 * toe + 3)]);
    };
    const walkers = [false, true].map((footLock) => model.walker({ seed: 1, footLock }));
    return input.sticks.map(([forward, turn]) => walkers.map((walker) => {
        const toes = at(walker.step({ forward, turn }), walker);
        return { toes, stands: walker.held.feet.map(({ stands, age }) => stands && age >= 4),
                 away: walker.held.feet.map(({ raw, held }) => Math.hypot(held[0] - raw[0], held[1] - raw[1])) };
    }));
"""


@needs_node
def test_planted_feet_stay_where_they_are(tmp_path: Path) -> None:
    """The lock holds a toe still for its contact, moves it by a share of the leg at most, and lets it go softly."""
    sticks = [[1.0, 0.0]] * 70 + [[0.7, 0.6]] * 40 + [[0.0, 0.0]] * 40
    checkpoint = Checkpoint.read(PRETRAINED)
    frames = ask(tmp_path, WALK, file=model_facts(checkpoint), sticks=sticks)
    free, locked = ([pair[k] for pair in frames] for k in range(2))
    stands = np.array([frame["stands"] for frame in locked])
    stays = stands[1:] & stands[:-1]
    slides = {}
    for name, rows in (("free", free), ("locked", locked)):
        toes = np.array([row["toes"] for row in rows])
        slides[name] = np.linalg.norm(np.diff(toes, axis=0)[..., [0, 2]], axis=-1)
    away = np.array([frame["away"] for frame in locked])
    inside = stays & (away[1:] < 0.08)  # a foot that slides farther is dragged along
    assert stays.mean() > 0.3 and inside.sum() > 0.9 * stays.sum()
    held = slides["locked"][inside]
    assert np.quantile(held, 0.97) < 2e-3 < slides["free"][inside].mean()
    assert held.max() < 0.01  # as a heel leaves the floor, a straight leg may not reach its place
    assert away.max() < 0.1 and (away[~stands] == 0).mean() > 0.2
    assert slides["locked"].max() < 1.5 * slides["free"].max()  # no foot jumps when it is let go
    assert stands.any(1).mean() < 1 and stands.all(1).any()


@needs_node
def test_the_same_seed_walks_the_same_and_a_route_is_walked(tmp_path: Path) -> None:
    body = """
        const model = await moglow.loadModel(input.file);
        const route = model.route([0, 0, 0], [[0, 1], [0, 2], [1, 3]]), ends = [3, 3, 4].map((seed) => {
            const walker = model.walker({ seed });
            let frame;
            route.forEach((_, k) => { frame = walker.advance(route.slice(k)); });
            return [frame.position, frame.place];
        });
        return { ends, tap: model.route([0, 0, 0], [[0.01, 0]]) };
    """
    answer = ask(tmp_path, body, file=model_facts(make_checkpoint()))
    first, again, other = answer["ends"]
    assert first == again and first[0] != other[0] and answer["tap"] is None
    assert np.linalg.norm(np.subtract(first[1][:2], [1, 3])) < 0.05


@needs_node
def test_a_file_that_is_no_model_is_a_one_line_error(tmp_path: Path) -> None:
    body = """
        const message = (error) => error.message, tries = [{ moglow: 2 }, {}, null];
        const model = await moglow.loadModel(input.file);
        return [...await Promise.all(tries.map((each) => moglow.loadModel(each).catch(message))),
                await Promise.resolve().then(() => model.walker({ style: "waltz" })).catch(message)];
    """
    *others, waltz = ask(tmp_path, body, file=model_facts(make_checkpoint()))
    assert all("not a model of moglow.js 1; write it with: moglow export-model" in text for text in others)
    assert waltz.startswith("no style is called waltz; the model has")


def test_the_module_is_small_asks_for_nothing_and_is_the_same_each_time() -> None:
    text = module_text()
    assert len(text.encode()) < LARGEST and text == module_text()
    assert not re.search(r"\bimport\b|https?:|use strict|document\.querySelector", text)
    assert text.endswith(f"export {{ {', '.join(EXPORTS)}, version }};\n")


def test_the_command_writes_module_types_and_weights(tmp_path: Path) -> None:
    def printed(*words: str) -> str:
        done = CliRunner().invoke(cli, ["export-model", *words])
        return f"{done.exit_code} {done.output}"

    assert printed(str(tmp_path / "moglow.js")).startswith("0 ")
    assert printed(str(tmp_path / "model.json")).startswith("0 ")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.json", "moglow.d.ts", "moglow.js"]
    assert json.loads((tmp_path / "model.json").read_text())["moglow"] == 1
    declared = re.findall(
        r"^export (?:class|function|const) (\w+)", (tmp_path / "moglow.d.ts").read_text(), re.M
    )
    assert sorted(declared) == sorted([*EXPORTS, "version"])
    assert "name the file so" in printed(str(tmp_path / "model.bin"))
    assert "--weights is for .onnx files" in printed(str(tmp_path / "m.json"), "--weights", "int8")


def node_modules(*names: str) -> Path:
    folder = Path(os.environ.get("MOGLOW_NODE_MODULES", "node_modules")).resolve()
    if not shutil.which("node") or not all((folder / name).is_dir() for name in names):
        pytest.skip(f"needs node and MOGLOW_NODE_MODULES=…/node_modules with {' and '.join(names)}")
    return folder


USE = """
import { loadModel, type Frame, type Velocities, version } from "./moglow.js";
const model = await loadModel("model.json"), walker = model.walker({ style: model.styles[0], footLock: true });
const frame: Frame = walker.step({ forward: 1, hurry: 1.35 }), [w]: number[] = frame.rotations[model.carrier];
const route: Velocities[] | null = model.route(walker.place, [[0, 1]]);
console.log(w, version.length, walker.points(frame).length, route?.map(([forward]) => forward));
// @ts-expect-error: a stick has no such axis
walker.step({ upward: 1 });
"""


def test_the_types_are_those_of_a_strict_program(tmp_path: Path) -> None:
    modules = node_modules("typescript")
    write_module(tmp_path / "moglow.js")
    (tmp_path / "use.ts").write_text(USE)
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "es2022"]
    options += ["--moduleResolution", "bundler", "--types"]
    done = subprocess.run(
        ["node", modules / "typescript" / "bin" / "tsc", *options, "", "use.ts"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.render
def test_three_js_shows_the_figure(tmp_path: Path, browser: Any) -> None:
    """The example's bones stand where the model's joints do, while W is held down."""
    from selenium.webdriver.common.action_chains import ActionChains

    modules = node_modules("three")
    checkpoint = Checkpoint.read(PRETRAINED)
    write_module(tmp_path / "moglow.js")
    write_weights(checkpoint, tmp_path / "model.json")
    skeleton = checkpoint.context.encoding.skeleton
    export(Clip.at_rest(skeleton, frames=2), tmp_path / "hero.glb")
    shutil.copy(EXAMPLE / "index.html", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    with serving(tmp_path) as address:
        browser.get_log("browser")
        browser.get(f"{address}/index.html")
        assert wait(browser, "window.example && example.walker.place[1] === 0"), browser.get_log("browser")
        ActionChains(browser).key_down("w").perform()
        assert wait(browser, "example.walker.place[1] > 1"), browser.get_log("browser")
        ActionChains(browser).key_up("w").perform()
        bones, points = browser.execute_script(
            """example.still();
            const where = new example.THREE.Vector3();
            return [example.bones.map((bone) => bone.getWorldPosition(where).toArray()),
                    [...example.walker.points(example.frame)].slice(0, 3 * example.bones.length)];"""
        )
        assert np.abs(np.ravel(bones) - points).max() < 1e-4
        assert len(np.unique(picture(browser).reshape(-1, 3), axis=0)) > 200  # a shaded figure on a grid
        if folder := os.environ.get("MOGLOW_PICTURES"):
            browser.save_screenshot(str(Path(folder) / "three.png"))
        severe = [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"]
        assert not [message for message in severe if "favicon" not in message]


def wait(browser: Any, condition: str, seconds: float = 60.0) -> bool:
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.support.wait import WebDriverWait

    try:
        return bool(
            WebDriverWait(browser, seconds).until(lambda it: it.execute_script(f"return {condition}"))
        )
    except TimeoutException:
        return False


def picture(browser: Any) -> Array:
    import io

    image = pytest.importorskip("PIL.Image", reason="needs pillow")
    return np.asarray(image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB"))
