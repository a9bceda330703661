"""Pins on the page, in a real browser: a click on the floor to walk to, and a ball that a hand reaches for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moglow.checkpoint import Checkpoint
from moglow.sampling.generate import PRETRAINED
from moglow_viewer.play.play_page import arms_of, write_play_page
from tests.support.browsing import Page

HOME = "\ue011"
CHECKPOINT = Checkpoint.read(PRETRAINED)
SKELETON = CHECKPOINT.context.encoding.skeleton


def test_the_arms_are_those_of_the_skeleton() -> None:
    arms = arms_of(SKELETON)
    assert [arm["side"] for arm in arms] == ["left", "right"]
    for arm in arms:
        upper, fore, hand = arm["joints"]
        assert SKELETON.parents[fore] == upper and SKELETON.parents[hand] == fore


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Page:
    """The page, paused at its start."""
    file = tmp_path / "play.html"
    write_play_page(CHECKPOINT, file, temperature=0.6)
    page = Page(browser, file)
    page.press(" ", HOME)
    return page


def go(page: Page, frames: int) -> None:
    page.browser.execute_script("window.moglow.advance(arguments[0])", frames)


def click(page: Page, point: Sequence[float]) -> None:
    """Clicks on a point of the window."""
    from selenium.webdriver.common.action_chains import ActionChains

    view = page.find("#view")
    middle = np.array([view.size["width"] // 2, view.size["height"] // 2])
    off = np.round(np.array(point) - middle).astype(int).tolist()
    ActionChains(page.browser).move_to_element_with_offset(view, *off).click().perform()


def drag(page: Page, start: Sequence[float], stop: Sequence[float]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    view = page.find("#view")
    middle = np.array([view.size["width"] // 2, view.size["height"] // 2])
    first, last = (np.round(np.array(each)).astype(int) for each in (start, stop))
    hand = ActionChains(page.browser, duration=30)
    hand.move_to_element_with_offset(view, *(first - middle).tolist()).click_and_hold()
    hand.move_by_offset(*(last - first).tolist()).release().perform()


def points(page: Page) -> Any:
    return np.reshape(page.points, (-1, 3))


@pytest.mark.render
def test_a_click_on_the_floor_is_walked_to(page: Page) -> None:
    goal = (0.5, 1.6)
    at = page.browser.execute_script("return window.moglow.screen(...arguments)", *goal)
    camera = page.camera
    click(page, at)
    pin = page.pin
    assert np.linalg.norm(np.array(pin) - goal) < 0.05 and page.camera == camera
    go(page, 3)
    assert page.walking
    go(page, page.path["frames"])
    assert np.linalg.norm(np.array(page.place)[:2] - pin) < 0.02
    assert page.pin is None and not page.walking
    place = page.place
    page.drag("#view", 60, 10)  # a drag turns the view and sets no pin
    assert page.pin is None and page.camera["pitch"] != camera["pitch"]
    go(page, 5)
    assert np.linalg.norm(np.array(page.place) - place) < 0.02


@pytest.mark.render
def test_a_hand_reaches_for_the_ball_within_the_limits_of_an_arm(page: Page) -> None:
    bones = {arm["side"]: arm["joints"] for arm in arms_of(SKELETON)}
    go(page, 20)
    before = points(page)
    page.find("[data-key=h]").click()
    assert page.state["reaching"]
    ball = np.array(page.reach["ball"])
    go(page, 60)
    reach = page.reach
    hand = points(page)[bones[reach["side"]][2]]
    assert reach["share"] > 0.9 and reach["left"] < 0.005
    assert np.linalg.norm(hand - ball) < 0.005 < 0.2 < np.linalg.norm(before[bones[reach["side"]][2]] - ball)
    for upper, fore, end in bones.values():  # bones keep their lengths, and the elbow its limits
        for one, other in ((upper, fore), (fore, end)):
            lengths = [np.linalg.norm(each[one] - each[other]) for each in (before, points(page))]
            assert lengths[0] == pytest.approx(lengths[1], abs=1e-4)
    # The ball is dragged to the left and up; the nearer hand follows it.
    where = page.browser.execute_script("return window.moglow.where(arguments[0])", page.reach["ball"])
    drag(page, where, np.add(where, (-40, -30)))
    moved = np.array(page.reach["ball"])
    assert 0.05 < np.linalg.norm(moved - ball) < 0.6
    go(page, 90)
    reach = page.reach
    hand = points(page)[bones[reach["side"]][2]]
    assert np.linalg.norm(hand - moved) == pytest.approx(reach["left"], abs=1e-4) and reach["left"] < 0.05
    # Behind the figure or far away it lets the arm hang, without a jump.
    script = "window.moglow.ball = arguments[0]"
    x, z, heading = page.place
    for place in ([x - np.sin(heading), 1.2, z - np.cos(heading)], [x + 9.0, 1.0, z + 9.0]):
        page.browser.execute_script(script, place)
        steps = []
        for _ in range(45):
            last = points(page)
            go(page, 1)
            steps.append(np.linalg.norm(points(page) - last, axis=-1).max())
        assert page.reach["share"] < 0.05 and max(steps) < 0.25  # metres in a thirtieth of a second
    page.find("[data-key=h]").click()
    assert page.reach["ball"] is None and page.browser.get_log("browser") == []
