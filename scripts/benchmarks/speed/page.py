#!/usr/bin/env python3
"""Times the page of a crowd in headless Chromium: frames of the model, pictures, and their cost.

.venv/bin/python scripts/benchmarks/speed/page.py --figures 1,25,100

The numbers of frames and pictures a second depend on the other load of the machine; the processor time of a frame, of
all processes of the browser and with its pictures, depends on it less. A page draws at most one picture for each frame
of the display, and no frame of the model before its time, which is a thirtieth of a second.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moglow.checkpoint import Checkpoint
from moglow.sampling.generate import PRETRAINED, TEMPERATURE
from moglow_viewer.play.crowd_page import write_crowd_page
from scripts.benchmarks.speed import tables

WARM = 2.0  # seconds after the first picture, in which the browser compiles
STATE = (
    "return [performance.now() / 1000, moglow.frames, moglow.drawn, moglow.state.cost, moglow.state.drawing]"
)


def opened(folder: str) -> tuple[Any, int]:
    """Returns a browser and the number of the process that owns all of its processes."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    words = "headless no-sandbox disable-gpu disable-background-networking no-first-run window-size=1280,800"
    for word in [*words.split(), f"user-data-dir={folder}"]:
        options.add_argument(f"--{word}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    return browser, service.process.pid


def processor_seconds(root: int) -> float:
    """Returns the processor seconds of a process and its descendants, as Linux counts them; NaN elsewhere."""
    children: dict[int, list[tuple[int, int]]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = file.read_text("utf-8").rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        words = rest.split()
        children.setdefault(int(words[1]), []).append((int(head.split()[0]), int(words[11]) + int(words[12])))

    def below(process: int) -> Iterator[int]:
        for child, ticks in children.get(process, []):
            yield ticks
            yield from below(child)

    return sum(below(root)) / os.sysconf("SC_CLK_TCK") if children else float("nan")


def timed(browser: Any, root: int, page: Path, seconds: float) -> dict[str, float]:
    """Returns the figures of a page."""
    browser.get(page.as_uri())
    deadline = time.monotonic() + 120
    while not browser.execute_script("return window.moglow && moglow.drawn"):
        if time.monotonic() > deadline:
            sys.exit(f"{page.name}: no picture within two minutes; {browser.get_log('browser')}")
        time.sleep(0.1)
    time.sleep(WARM)
    before, busy = browser.execute_script(STATE), processor_seconds(root)
    time.sleep(seconds)
    after, busy = browser.execute_script(STATE), processor_seconds(root) - busy
    passed, frames, pictures = (after[k] - before[k] for k in range(3))
    return {
        "frames/s": frames / passed,
        "pictures/s": pictures / passed,
        "ms a frame in a worker": after[3],
        "ms a picture": after[4],
        "processor ms a frame, with pictures": 1e3 * busy / max(frames, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--figures", default="1,25,100", help="numbers of figures, separated by commas")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path, help="writes the figures")
    arguments = parser.parse_args()
    checkpoint, rows = Checkpoint.read(PRETRAINED), {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser, root = opened(folder)
        version = browser.capabilities["browserVersion"]
        try:
            for figures in map(int, arguments.figures.split(",")):
                page = Path(folder) / f"crowd{figures}.html"
                write_crowd_page(checkpoint, page, figures=figures, temperature=TEMPERATURE)
                row = timed(browser, root, page, arguments.seconds)
                rows[f"{figures} figure{'s' if figures > 1 else ''}"] = row
        finally:
            browser.quit()
    pages = "the page of `moglow play --html crowd.html --figures 100`, and of fewer,"
    about = f"{pages} in headless Chromium {version}, 1280×800, without a GPU"
    print(about, *tables.markdown(rows), sep="\n")
    tables.write(arguments.json, about, rows)


if __name__ == "__main__":
    main()
