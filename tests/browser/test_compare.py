"""The page of a comparison in a real browser: accessible, no wider than a phone, and deaf to hostile text."""

from __future__ import annotations

import dataclasses

import pytest

from harness.report.comparison.comparable import open_runs
from harness.report.comparison.compare import comparison
from harness.report.page.comparison import comparison_page

pytestmark = pytest.mark.wall

EVIL = "</style><script>alert(1)</script><img src=x onerror=alert(1)> javascript:alert(1) \u202e\u2028 &lt;"


@pytest.fixture(scope="module")
def page(tmp_path_factory, said):
    """A forced comparison of runs that differ in every script, with hostile text."""
    home = tmp_path_factory.mktemp("compare")
    many = [said.Said(id=f"{n}", speaker=f"s{n}", locale="fr-FR") for n in range(20)]
    better = [dataclasses.replace(one, hypothesis="the quick") for one in many]
    base = [*said.STORIES, *better, said.Said(id=EVIL, reference="a b c d", hypothesis=EVIL)]
    worse = [dataclasses.replace(one, hypothesis=(one.reference or "")[:7]) for one in said.STORIES if one.outcome == "ok"]  # fmt: skip
    new = [*worse, *many, said.Said(id=EVIL, reference=EVIL, hypothesis="a b")]
    runs = open_runs(
        said.make_run(home / "base", base), [said.make_run(home / "new", new)], force=True
    )
    path = home / "compare.html"
    path.write_bytes(comparison_page(comparison(runs, margin=0.01)))
    return path


@pytest.fixture
def opened(browser, page):
    """Return a function that opens the page and gives it with what it complained of and asked for."""
    contexts = []

    def open_page(**options):
        contexts.append(browser.new_context(**options))
        tab = contexts[-1].new_page()
        heard: list[str] = []
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: heard.append(request.url))
        tab.goto(page.as_uri())
        heard.remove(page.as_uri())
        return tab, heard

    yield open_page
    for context in contexts:
        context.close()


def test_nothing_runs_and_nothing_is_fetched(opened):
    """Opened from disk, the page makes no request, shows no dialog and logs no complaint."""
    tab, heard = opened()
    assert "better" in tab.inner_text("main")
    assert "worse" in tab.inner_text("main")
    assert [] == heard


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(opened, axe, scheme, width):
    """axe-core finds no violation of WCAG 2.2 AA or best practice, wide and on a phone."""
    tab, _ = opened(color_scheme=scheme, viewport={"width": width, "height": 844}, bypass_csp=True)
    tab.evaluate(axe)
    found = tab.evaluate("axe.run().then((result) => result.violations)")
    assert [] == [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found]


def test_a_phone_never_scrolls_sideways(opened):
    """At 360 pixels the page is as wide as the screen; only tables scroll within themselves."""
    tab, _ = opened(viewport={"width": 360, "height": 740})
    assert 360 == tab.evaluate("document.documentElement.scrollWidth")


def test_right_to_left_text_runs_right_to_left(opened):
    """Arabic transcripts are laid out from the right, under their language's name."""
    tab, _ = opened()
    assert "rtl" == tab.locator('.diff[lang="ar"]').first.evaluate(
        "(one) => getComputedStyle(one).direction"
    )
