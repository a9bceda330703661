"""A page in a browser, with mouse and keys; `browser` itself is a fixture of `conftest`."""

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

OUTSIDE = re.compile(r"https?:|//\w+\.|\bsrc=|\bhref=|url\(|@import|\bfetch\(|style=|\son\w+=")
"""Texts that a page must not contain: it would load other files, or violate its own policy."""


class Page:
    """A page in a browser, and the hands of who looks at it."""

    def __init__(self, browser: Any, file: Path) -> None:
        self.browser = browser
        browser.get_log("browser")  # messages of the page before
        browser.get(file.as_uri())
        self.wait("drawn > 0")

    def __getattr__(self, name: str) -> Any:
        return self.browser.execute_script(f"return window.moglow && window.moglow.{name}")

    def wait(self, condition: str) -> None:
        for _ in range(200):
            with suppress(Exception):
                if self.browser.execute_script(f"return window.moglow.{condition}"):
                    return
            time.sleep(0.05)
        pytest.fail(f"never was {condition}: {self.browser.get_log('browser')}")

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def find(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def drag(self, selector: str, x: int, y: int = 0) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser).drag_and_drop_by_offset(self.find(selector), x, y).perform()
