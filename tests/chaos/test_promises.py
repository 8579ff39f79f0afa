"""What the page promises is shown by tests that exist, and nothing of the page is missing."""

from __future__ import annotations

from tests.chaos.__main__ import DOCS, SECTIONS, _sections_of
from tests.chaos.promises import missing


def test_every_promise_is_shown_by_a_test():
    """Each test that the page of reliability names is there, under that name."""
    assert [] == list(missing())


def test_every_section_is_on_the_page():
    """The page has each section, under its mark and with what was done: a merge that lost one would lose its table for good."""
    page = _sections_of(DOCS.read_text(encoding="utf-8"))
    assert list(SECTIONS) == list(page)
    assert all("## " in text and "|" in text for text in page.values())
