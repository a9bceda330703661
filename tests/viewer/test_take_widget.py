"""`take.show()`: a widget that plays a take and samples it again, alone and in JupyterLab in a browser."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moglow
from moglow.errors import ExportError
from moglow.sampling.generate import TEMPERATURE, generate
from tests.viewer.test_javascript import wait


def widget_of(take: Any) -> Any:
    pytest.importorskip("anywidget", reason="needs anywidget: pip install '.[notebook]'")
    return take.show()


def test_sliders_sample_the_same_path_again() -> None:
    take = moglow.generate("line:length=0.5", seed=3)
    widget = widget_of(take)
    styles = moglow.pretrained().context.styles
    assert (
        widget.styles == ["default", *styles]
        and widget.style == "default"
        and widget.temperature == TEMPERATURE
    )
    first = widget.page
    assert widget.take is take and "default-src" in first

    widget.temperature = 0.2
    calm = moglow.generate("line:length=0.5", seed=3, temperature=0.2)
    assert np.array_equal(widget.take.clip.rotations, calm.clip.rotations) and widget.page != first
    if styles:
        widget.style = styles[0]
        styled = moglow.generate("line:length=0.5", seed=3, temperature=0.2, style=styles[0])
        assert np.array_equal(widget.take.clip.rotations, styled.clip.rotations)
    kept = widget.take
    widget.style = "waltz"
    assert "no style is called" in widget.message and widget.take is kept


def test_a_take_without_an_origin_only_plays() -> None:
    checkpoint = moglow.pretrained()
    (take,) = generate(checkpoint, moglow.preset("line:length=0.5", fps=checkpoint.context.fps))
    widget = widget_of(take)
    assert widget.styles == [] and widget.page
    before = widget.page
    widget.temperature = 0.1
    assert widget.take is take and widget.page == before


def test_without_the_extra_the_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "moglow_viewer.notebook.take_widget", raising=False)
    with pytest.raises(ExportError) as caught:
        moglow.generate("line:length=0.5").show()
    assert str(caught.value) == "take.show() needs anywidget: pip install 'moglow[notebook]'"


# ---- in JupyterLab ----


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a notebook that shows a take, in a JupyterLab of this Python."""
    program = shutil.which("jupyter-lab", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not program:
        pytest.skip("needs JupyterLab: pip install jupyterlab")
    pytest.importorskip("anywidget", reason="needs anywidget: pip install '.[notebook]'")
    root = Path(__file__).resolve().parents[2]
    source = "import moglow\nshown = moglow.generate('line:length=1', seed=1).show()\nshown"
    cell: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}
    (tmp_path / "take.ipynb").write_text(json.dumps(book))
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {
        "HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home), "PYTHONPATH": f"{root}:{root / 'viewer'}",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=t"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen([program, *options], cwd=tmp_path, stdout=log, stderr=log, env=environment)
    try:
        yield f"{address_of(server, home)}lab/tree/take.ipynb?token=t"
    finally:
        server.terminate()
        server.wait()


def address_of(server: subprocess.Popen[bytes], folder: Path) -> str:
    """Returns the address that a server writes to its runtime folder when it is ready."""
    import time

    for _ in range(600):
        if server.poll() is not None:
            break
        for file in folder.glob("jpserver-*.json"):
            with suppress(ValueError, KeyError):
                return str(json.loads(file.read_text())["url"])
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start: {(folder / 'log').read_text()[-2000:]}")


@pytest.mark.render
@pytest.mark.slow
def test_a_notebook_plays_the_take_and_its_sliders_sample(lab: str, browser: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    frame = "document.querySelector('.moglow-take iframe')"
    browser.get(lab)
    assert wait(browser, "document.querySelector('.jp-CodeCell .cm-content')"), "no notebook"
    assert wait(browser, "document.body.innerText.includes('| Idle')", 120), "the kernel does not start"
    browser.find_element("css selector", ".jp-CodeCell .cm-content").click()
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
    assert wait(browser, f"{frame}?.contentWindow.moglow?.drawn > 3", 180), "the take does not play"
    playing = browser.execute_script(
        f"const it = {frame}.contentWindow.moglow; return [it.playing, it.frames]"
    )
    assert playing == [True, len(moglow.generate("line:length=1", seed=1).clip)]
    points = f"{frame}.contentWindow.moglow?.points(0, 20)"
    first = browser.execute_script(f"return {points}")
    label = "return document.querySelector('.moglow-take [aria-label={}] + output').textContent"
    assert browser.execute_script(label.format("Temperature")) == f"{TEMPERATURE:.2f}"

    slider = browser.find_element("css selector", ".moglow-take [aria-label=Temperature]")
    aside = -0.4 * slider.size["width"]  # a tenth of the hottest
    ActionChains(browser).move_to_element_with_offset(slider, round(aside), 0).click().perform()
    chosen = float(browser.execute_script(label.format("Temperature")))
    assert 0.0 < chosen < TEMPERATURE
    second = changed(browser, points, first)
    assert_shown(second, moglow.generate("line:length=1", seed=1, temperature=chosen))

    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    warmer = float(browser.execute_script(label.format("Temperature")))
    assert warmer == pytest.approx(chosen + 0.05)
    third = changed(browser, points, second)
    assert_shown(third, moglow.generate("line:length=1", seed=1, temperature=warmer))
    if folder := os.environ.get("MOGLOW_PICTURES"):
        browser.save_screenshot(str(Path(folder) / "notebook.png"))
    if styles := moglow.pretrained().context.styles:
        browser.find_element("css selector", ".moglow-take [aria-label=Style]").send_keys(Keys.ARROW_RIGHT)
        assert browser.execute_script(label.format("Style")) == styles[0]
        changed(browser, points, third)


def assert_shown(points: list[float], take: Any) -> None:
    """The points of the page are the joints of a take in frame 20."""
    joints = take.clip.world_positions[20]
    assert np.abs(np.reshape(points, (-1, 3))[: len(joints)] - joints).max() < 2e-3


def changed(browser: Any, points: str, before: list[float]) -> list[float]:
    """Returns the points of the page as soon as they have changed."""
    from selenium.webdriver.support.wait import WebDriverWait

    def others(browser: Any) -> Any:
        now = browser.execute_script(f"return {points}")
        return now if now and now != before else None

    found: list[float] = WebDriverWait(browser, 90).until(others)
    return found
