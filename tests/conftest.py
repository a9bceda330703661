"""Fixtures for all tests: the shared motion capture, a browser, a display; and hypothesis without deadlines."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

collect_ignore = ["oracles"]  # scripts for other programs: Blender's Python, node, …

# A slow machine must not fail a test; the same examples on each run keep a failing test failing.
settings.register_profile("moglow", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("moglow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test that uses `shared_data` as `realdata`, and skips these tests where the data is missing."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.realdata)
        if item.get_closest_marker("realdata") and not SHARED_DATA.is_dir():
            item.add_marker(pytest.mark.skip(reason="needs the motion capture in ../shared/data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Returns the folder of real motion capture, which is read in place and never committed."""
    return SHARED_DATA


@pytest.fixture(scope="session")
def samples() -> Path:
    """Returns the folder of the sample clips, which every clone contains."""
    return ROOT / "data" / "samples"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yields a headless Chromium with a new profile."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver; on Debian: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    words = "headless no-sandbox disable-gpu disable-background-networking no-first-run window-size=1280,800"
    words += " enable-unsafe-swiftshader"
    for word in [*words.split(), f"user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """Yields a virtual display for these tests only."""
    for program in ("Xvfb", "xdotool"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}: apt-get install xvfb xdotool libgl1-mesa-dri")
    read, written = os.pipe()
    command = ["Xvfb", "-displayfd", str(written), "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
    command += ["-noreset"]  # otherwise it restarts after each window, and refuses connections meanwhile
    server = subprocess.Popen(command, pass_fds=[written], stderr=subprocess.DEVNULL)
    os.close(written)
    with os.fdopen(read) as number:
        yield f":{number.readline().strip()}"
    server.terminate()
    server.wait()
