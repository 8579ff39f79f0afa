"""A real Chromium, driven by Playwright, and reports to open in it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.conftest import lacking
from tests.report import conftest as report

READY = "#explore:is([data-ready=all], [data-ready=search])"


@pytest.fixture(scope="session")
def said():
    """Return what runs are made of."""
    return report


@pytest.fixture(scope="session")
def browser():
    """Give a headless Chromium, the system's own, that phones nobody."""
    if importlib.util.find_spec("playwright") is None:
        lacking("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--autoplay-policy=no-user-gesture-required",
            ],
        )
        yield launched
        launched.close()


def chromium() -> str:
    """Return the path of the system's Chromium."""
    import shutil

    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return lacking("chromium")


class Opened:
    """A report in a browser, and all that happened there."""

    def __init__(self, page, path: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        """Script errors, refusals of the policy, dialogs."""

        self.requests: list[str] = []
        """Addresses asked for, the page itself left out."""

        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector(READY, state="attached")
        self.requests.remove(path.as_uri())

    def _dialog(self, dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def count(self) -> str:
        """Return what the list says of how much it holds."""
        return self.page.locator("#count").inner_text()

    def chosen(self) -> str:
        """Return the id of the utterance that is shown."""
        return self.page.locator("#detail h3").inner_text()


@pytest.fixture
def opened(browser):
    """Return a function that opens a report in a context of its own, and close them all at the end."""
    contexts = []

    def open_page(path: Path, *, address: str = "", **options) -> Opened:
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "locale": "en-US", **options}
        )
        contexts.append(context)
        return Opened(context.new_page(), path)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Give the source of axe-core."""
    if importlib.util.find_spec("axe_playwright_python") is None:
        lacking("axe-core, from axe-playwright-python")
    import axe_playwright_python

    source = Path(axe_playwright_python.__file__).with_name("axe.min.js")
    return source.read_text(encoding="utf-8")
