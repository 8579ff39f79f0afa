"""The picture of the sample report that the README shows."""

from __future__ import annotations

from playwright.sync_api import sync_playwright

from tests.browser.conftest import READY, chromium
from tests.sample.made import ROOT, SAMPLE

PICTURE = ROOT / "docs" / "report.png"


def take_picture() -> None:
    """Write what a desktop shows of the report's beginning."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--hide-scrollbars"]
        )
        page = browser.new_page(
            viewport={"width": 1280, "height": 1000}, color_scheme="light", locale="en-US"
        )
        page.goto((SAMPLE / "report.html").as_uri())
        page.wait_for_selector(READY, state="attached")
        page.screenshot(path=PICTURE)
        browser.close()
