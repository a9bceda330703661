"""The page of a crowd: its figures move as in Python, alone and in company; keys, clicks, and what it refuses."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from moglow.checkpoint import Checkpoint
from moglow.cli.main import cli
from moglow.encodings.feet_first import FeetFirstChart
from moglow.sampling.generate import PRETRAINED
from moglow_viewer.play.crowd_page import write_crowd_page
from moglow_viewer.play.packed_model import pack_model
from moglow_viewer.play.play_page import figure_facts, model_facts
from tests.sampling.test_sampler import make_checkpoint
from tests.support.browsing import OUTSIDE, Page
from tests.support.scripts import ask, needs_node
from tests.viewer.test_page_model import FED_BACK, ROUNDING, TURNS, compared, halved

SCRIPTS = "motion model body steering kernel crowd_model crowd_worker"
FIGURES, SHOWN = 20, 17  # two blocks; the figure that is compared is in the second one

SAMPLE = """
    const { model } = input, arrays = unpackArrays(model.arrays, await inflate(model.data));
    const sampler = new Sampler(arrays, model), body = new Body(arrays, input.figure);
    const steering = new Steering(input.steering);
    const crowd = await CrowdSampler.of(sampler, input.figures), dice = new Dice(1);
    crowd.stand(sampler.style(input.styles[0]));
    for (const { values } of crowd.blocks) values.fill(0, 0, LANES * (crowd.seen + 3 * sampler.history));
    let moving = RESTING, place = [0, 0, 0];
    return input.wanted.map((wanted, frame) => {
        const ahead = steering.ahead(moving, wanted, 1 + sampler.lookahead);
        moving = steering.step(moving, wanted);
        place = walked(place, moving.velocities, sampler.fps);
        const noise = Float32Array.from(input.noise[frame]);
        const own = (figure) => (figure === input.shown ? noise : dice.normals(noise.length));
        const posed = crowd.step((figure, k) => (figure === input.shown ? ahead[k] : [0.5, 0, 0.1 * figure]), own, 0.7);
        const pose = posed(input.shown);
        const shown = body.twisted(body.decode(pose, place), steering.twisting(moving));
        return [pose, body.stand(shown), place].map((values) => [...values]);
    });
"""


def in_a_crowd(checkpoint: Checkpoint, **given: Any) -> Any:
    """Returns the frames of one figure among others that move differently."""
    chart = checkpoint.context.encoding.chart
    assert isinstance(chart, FeetFirstChart)
    model, figure = pack_model(checkpoint), figure_facts(chart)
    return ask(SCRIPTS, SAMPLE, model=model, figure=figure, figures=FIGURES, shown=SHOWN, **given)


@needs_node
def test_the_shipped_model_moves_a_crowd_as_it_does_here() -> None:
    poses, points, places = compared(Checkpoint.read(PRETRAINED), TURNS, "neutral", answer=in_a_crowd)
    assert poses.max() < FED_BACK and points.max() < FED_BACK and places.max() < 1e-12


@needs_node
@pytest.mark.parametrize("latent", ["normal", "student"])
@pytest.mark.parametrize(
    ("scale", "encoder", "layers"), [("paper", (), 2), ("bounded", (8,), 1), ("paper", (8, 6), 2)]
)
def test_every_model_moves_a_crowd(latent: str, scale: str, encoder: tuple[int, ...], layers: int) -> None:
    checkpoint = halved(make_checkpoint(layers, latent=latent, scale=scale, encoder=encoder))
    poses, points, _ = compared(checkpoint, [[1.0, 0, 0.5]] * 20, "calm", answer=in_a_crowd)
    assert poses.max() < ROUNDING and points.max() < ROUNDING


@needs_node
def test_a_figure_moves_in_company_as_it_does_alone() -> None:
    """The seed of figure k is ``seed + k``, from the warm-up on, also where a worker has the later figures only."""
    checkpoint = make_checkpoint(1)
    facts = model_facts(checkpoint, temperature=0.7, style=None, seed=5)
    both = ask(
        SCRIPTS,
        """const { facts } = input, arrays = unpackArrays(facts.model.arrays, await inflate(facts.model.data));
           const places = Array.from({ length: 3 }, (_, k) => [k, 0, 0.5 * k]), wanted = [0.8, 0.1, 0.3];
           const company = await Company.of(facts, arrays, 16, places), { single, steering, body } = company;
           const dice = new Dice(facts.seed + 18), style = single.style(null);
           const noise = () => dice.normals(single.flow.noiseSize);
           let past = single.start(noise, style, 0.7), moving = RESTING, place = places[2];
           return Array.from({ length: 12 }, () => {
               const made = company.step(Float32Array.from([0, 0, 0, 0, 0, 0, ...wanted]));
               const ahead = steering.ahead(moving, Float32Array.from(wanted), 1 + single.lookahead);
               moving = steering.step(moving, Float32Array.from(wanted));
               place = walked(place, ahead[0], single.fps);
               const alone = single.step(past, ahead, noise(), style, 0.7);
               past = alone.past;
               const size = made.points.length / 3;
               const shown = body.twisted(body.decode(alone.pose, place), steering.twisting(moving));
               return [[...made.points.subarray(2 * size)], [...body.stand(shown)],
                       [...made.places.subarray(6)], place];
           });""",
        facts=facts,
    )
    for ours, alone, place, same in both:
        assert np.abs(np.subtract(ours, alone)).max() < FED_BACK and np.allclose(place, same, atol=1e-12)


@needs_node
def test_the_kernel_is_valid_with_and_without_fused_operations() -> None:
    """A product and cells of 16 figures equal those of numpy, wherever WebAssembly has SIMD."""
    random = np.random.default_rng(0)
    weights, x, bias = random.normal(size=(6, 5)), random.normal(size=(5, 16)), random.normal(size=6)
    gates, cells = 3 * random.normal(size=(4, 2, 16)), random.normal(size=(2, 16))
    gates[0, 0, :4] = [-80, 80, 0, 1e-6]  # tanh has limits there, and no NaN
    answer = ask(
        "motion kernel",
        """const memory = new WebAssembly.Memory({ initial: 1 });
           const put = (at, values) => new Float32Array(memory.buffer, at, values.length).set(values);
           const take = (at, count) => [...new Float32Array(memory.buffer, at, count)];
           const { instance } = await WebAssembly.instantiate(assembled(unfused), { page: { memory } });
           put(64, input.weights); put(1024, input.x); put(2048, input.bias);
           put(4096, input.gates); put(8192, input.cells);
           instance.exports.product(64, 1024, 2048, 3072, 3, 5);
           const product = take(3072, 96);
           instance.exports.onto(64, 1024, 0, 3072, 3, 5);
           instance.exports.cells(4096, 8192, 9216, 2);
           return [product, take(3072, 96), take(8192, 32), take(9216, 32)];""",
        weights=weights.reshape(3, 2, 5).transpose(0, 2, 1).ravel(), x=x.ravel(), bias=bias,
        gates=gates.ravel(), cells=cells.ravel(),
    )  # fmt: skip
    product, onto, after, outputs = (np.reshape(each, (-1, 16)) for each in answer)
    assert np.abs(product - (weights @ x + bias[:, None])).max() < 1e-5
    assert np.abs(onto - (2 * weights @ x + bias[:, None])).max() < 1e-5
    entry, forget, output, new = (
        0.5 * np.tanh(gates[0]) + 0.5,
        0.5 * np.tanh(gates[1]) + 0.5,
        gates[2],
        gates[3],
    )
    expected = forget * cells + entry * np.tanh(new)
    assert np.abs(after - expected).max() < 1e-6
    assert np.abs(outputs - (0.5 * np.tanh(output) + 0.5) * np.tanh(expected)).max() < 1e-6


def test_the_page_contains_all_it_needs(tmp_path: Path) -> None:
    file = tmp_path / "crowd.html"
    done = CliRunner().invoke(cli, ["play", "--html", str(file), "--figures", "3"])
    assert done.exit_code == 0 and not OUTSIDE.search(file.read_text("utf-8").split("<script")[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--figures", "9"], "a crowd is shown on a page: give --html crowd.html"),
        (["--figures", "0", "--html", "x.html"], "0"),
        (["--figures", "1001", "--html", "x.html"], "1001"),
    ],
)
def test_a_wrong_number_of_figures_is_one_line(words: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, ["play", *words])
    assert done.exit_code == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.render
def test_a_crowd_gathers_where_the_user_clicks(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    file = tmp_path / "crowd.html"
    write_crowd_page(Checkpoint.read(PRETRAINED), file, figures=20, temperature=0.6)
    page = Page(browser, file)

    def distance(x: float, z: float) -> float:
        places = np.reshape(page.places, (-1, 3))
        return float(np.hypot(places[:, 0] - x, places[:, 1] - z).mean())

    before = distance(3.0, 3.0)
    left, top = browser.execute_script("return moglow.screen(3, 3)")
    view = page.find("#view")
    offset = round(left - view.size["width"] / 2), round(top - view.size["height"] / 2)
    ActionChains(browser).move_to_element_with_offset(view, *offset).click().perform()
    began = page.frames
    page.wait(f"frames > {began + 60}")
    assert distance(3.0, 3.0) < before - 0.2
    page.press(" ")
    time.sleep(0.3)
    frames = page.frames
    time.sleep(0.3)
    assert page.frames == frames and page.state["paused"]
    assert page.browser.get_log("browser") == []  # the policy permits the workers and the WebAssembly
