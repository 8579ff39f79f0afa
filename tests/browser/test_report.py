"""The report in a real browser: everything that a person does with it, and all that must not happen."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.clock import run_virtual
from harness.corpus.scenario import Expectation
from harness.report.build import build_reports
from harness.report.page.clips import Embed
from harness.text.locales import LOCALES
from tests.run.runs import plan, run
from tests.run.test_ask import put, says, written
from tests.run.test_speak import text as to_say
from tests.session.memory import MODEL, Service
from tests.session.speaker import speaking, speaks

pytestmark = pytest.mark.wall

SAMPLE = Path(__file__).parents[2] / "datasets" / "sample" / "audio"
AUSTEN = "en-US-austen-0870.flac"
EVIL = (
    "</script></style></title><script>alert(1)</script><img src=x onerror=alert(1)>"
    "<svg onload=alert(1)> javascript:alert(1) \u202e\u2066\u2028\x1b[31m &lt; =1+1 \x00 \x1e \x1f"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, said):
    """One of everything; one clip beside the runs, one gone."""
    home = tmp_path_factory.mktemp("home")
    clips = home / "datasets" / "sample"
    clips.mkdir(parents=True)
    shutil.copy(SAMPLE / AUSTEN, clips / "a clip #1.flac")
    clip = {"audio": str(clips / "a clip #1.flac"), "audio_s": 7.1, "tags": {}}
    rows = [
        *said.STORIES,
        said.Said(id="heard", reference="it is a truth", hypothesis="is a tooth truly", **clip),
        *(said.Said(id=f"more-{n}", hypothesis="the quick brown fox" + " jumps" * (n % 3)) for n in range(60)),
    ]  # fmt: skip
    folder = said.make_run(home / "reports" / "run", rows)
    build_reports(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    """The page of it, with the audio it brings by default."""
    return folder / "report.html"


def test_the_list_sorts_filters_and_opens(opened, page):
    """Orders, filters and search change what is listed, and a click opens what is clicked on."""
    report = opened(page)
    assert "78 of 78 rows" == report.count()
    report.page.select_option("#f-order", "plain")
    assert "0.0 %" == report.page.locator(".item b").first.inner_text()
    report.page.select_option("#f-locale", label="ar-XA")
    assert ("1 of 78 rows", "ar-1") == (report.count(), report.chosen())
    report.page.get_by_role("button", name="Clear").click()
    report.page.fill("#f-text", "TRULY")
    assert ("1 of 78 rows", "heard") == (report.count(), report.chosen())
    report.page.fill("#f-text", "")
    report.page.fill("#f-least", "60")
    report.page.fill("#f-most", "70")
    assert {"66.7 %", "60.0 %"} >= set(report.page.locator(".item b").all_inner_texts())
    report.page.get_by_role("button", name="Clear").click()
    report.page.locator(".item").nth(3).click()
    wanted = report.page.locator(".item .id").nth(3).inner_text()
    assert wanted == report.chosen()
    assert [] == report.complaints
    assert [] == report.requests


def test_a_cell_a_mistake_and_a_flag_lead_to_their_utterances(opened, page):
    """A click in the matrix shows the cell's rows, one on a mistake an utterance with it, one on a flag the flagged."""
    report = opened(page)
    report.page.locator("td.rate a[data-locale='de-DE']").first.click()
    assert "4 of 78 rows" != report.count()
    assert {"de-DE"} == set(report.page.locator(".item .tail:nth-child(3)").all_inner_texts())
    report.page.evaluate(
        "document.querySelectorAll('main details').forEach((one) => one.open = true)"
    )
    report.page.locator("#errors a", has_text="jumped").first.click()
    assert "en-22" == report.chosen()
    report.page.locator("#errors a[data-fault]").first.click()
    assert "Suspicious" in report.page.locator("#detail").inner_text()


def test_what_is_looked_at_is_in_the_address(opened, page, browser):
    """A copied address opens the same rows and the same utterance again."""
    report = opened(page)
    report.page.select_option("#f-locale", label="en-US")
    report.page.locator(".item").nth(2).click()
    report.page.wait_for_url("**row=*")
    wanted, count, address = report.chosen(), report.count(), report.page.url
    report.page.goto("about:blank")
    report.page.goto(address)
    report.page.wait_for_selector("#explore[data-ready]")
    assert (wanted, count) == (report.chosen(), report.count())


def test_the_keyboard_reaches_everything(opened, page):
    """Tab reaches the list from the top, arrows and pages move in it, slash searches, n steps through the errors."""
    report = opened(page)
    seen = []
    for _ in range(60):
        report.page.keyboard.press("Tab")
        seen.append(report.page.evaluate("document.activeElement.innerText"))
        if seen[-1] == "Utterances":
            report.page.keyboard.press("Enter")
            break
    for _ in range(30):
        report.page.keyboard.press("Tab")
        seen.append(report.page.evaluate("document.activeElement.id"))
        if seen[-1] == "list":
            break
    assert {"Skip to the results", "Utterances", "f-text", "f-order", "list"} <= set(seen)
    report.page.keyboard.press("End")
    active = "document.getElementById(document.getElementById('list').getAttribute('aria-activedescendant'))"
    assert "78" == report.page.evaluate(f"{active}.getAttribute('aria-posinset')")
    report.page.keyboard.press("Home")
    report.page.keyboard.press("ArrowDown")
    assert "2" == report.page.evaluate(f"{active}.getAttribute('aria-posinset')")
    report.page.keyboard.press("/")
    report.page.keyboard.type("tooth")
    assert "heard" == report.chosen()
    report.page.focus("#list")
    report.page.keyboard.press("n")
    report.page.keyboard.press("n")
    errors = report.page.locator("#detail .piece")
    assert [1] == [
        n for n in range(errors.count()) if "at" in errors.nth(n).get_attribute("class").split()
    ]


def until(page, condition: str) -> None:
    """Wait for a condition; Playwright's own way needs `eval`, which the page's policy forbids."""
    page.evaluate(
        f"() => new Promise((done) => {{ const timer = setInterval(() => {{ if ({condition}) {{ clearInterval(timer); done(); }} }}, 20); }})"
    )


@pytest.mark.parametrize("how", ["embedded", "linked"])
def test_a_clip_is_played(opened, folder, how, tmp_path):
    """A clip plays from the page itself or from its file beside it, at a fragment and at a word."""
    if how == "linked":
        build_reports(folder, embed=Embed(clips=0))
    else:
        build_reports(folder)
    report = opened(folder / "report.html")
    report.page.fill("#f-text", "tooth")
    audio = report.page.locator("#detail audio")
    source = audio.get_attribute("src")
    assert (
        source.startswith("data:audio/mpeg;base64,")
        if how == "embedded"
        else source == "../../datasets/sample/a%20clip%20%231.flac"
    )
    report.page.locator(".times button").last.click()
    place = "document.querySelector('#detail audio').currentTime"
    until(report.page, f"{place} > 5.2")
    report.page.locator("#detail .diff [data-share]").nth(1).click()
    until(report.page, f"{place} < 4 && {place} > 0.1")
    report.page.keyboard.press("p")
    assert report.page.evaluate("document.querySelector('#detail audio').paused")
    assert abs(report.page.evaluate("document.querySelector('#detail audio').duration") - 7.1) < 0.2
    assert not [line for line in report.complaints if "Policy" in line]
    assert str(folder.parents[1]) not in (folder / "report.html").read_text(encoding="utf-8")


def test_arabic_runs_from_right_to_left(opened, page):
    """In an Arabic diff the first word stands right of the second, and its parts are isolated."""
    report = opened(page)
    report.page.select_option("#f-locale", label="ar-XA")
    first, second = (report.page.locator(".diff > *").nth(n).bounding_box() for n in (0, 1))
    assert first["x"] > second["x"]
    assert ("ar", "rtl") == tuple(
        report.page.locator(".diff").get_attribute(name) for name in ("lang", "dir")
    )


def test_a_session_is_drawn(opened, page):
    """The detail has the waveform with the speech marked, what was sent and received, and the wire events in words."""
    report = opened(page)
    report.page.fill("#f-text", "tooth")
    assert 1 == report.page.locator(".session .wave").count()
    assert 1 == report.page.locator(".session .speech").count()
    assert report.page.locator(".session .stretch").count() >= 1
    report.page.locator("#detail summary").click()
    events = report.page.locator(".wire").inner_text()
    for words in (
        "realtimeInput.activityStart",
        "frames",
        "serverContent.turnComplete",
        "usageMetadata",
        "closed",
    ):
        assert words in events


def test_a_clip_is_drawn_by_its_frequencies(opened, tmp_path, said):
    """The spectrogram of a tone is dark in its frequency's line and blank far from it, where and while it sounds."""
    seconds = np.arange(3 * 16_000) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * 1000 * seconds) * (seconds > 1.5)
    soundfile.write(tmp_path / "tone.wav", tone, 16_000)
    rows = [said.Said(id="tone", hypothesis="x", audio=str(tmp_path / "tone.wav"), audio_s=3.0)]
    folder = said.make_run(tmp_path / "run", rows)
    build_reports(folder)
    report = opened(folder / "report.html")
    report.page.wait_for_selector("canvas.frequencies:not([hidden])")
    shades = report.page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas.frequencies");
          const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return Array.from({ length: height }, (_, line) => Array.from({ length: width }, (_, column) => data[4 * (line * width + column) + 3]));
        }"""
    )
    lines = np.array(shades, dtype=float)
    middle = lines.shape[1] // 2
    loud = lines[:, middle + 20 :].mean(axis=1)
    assert abs(len(lines) * (1 - 1000 / 4000) - int(loud.argmax())) <= 2
    assert loud.max() > 200
    assert loud[: len(lines) // 3].max() < 20
    assert lines[:, : middle - 20].max() < 60
    assert [] == report.complaints
    assert [] == report.requests


@pytest.fixture(scope="module")
def answering(tmp_path_factory):
    """The pages of a run that speaks, and of one that asks two questions, one of which is answered rightly."""
    folder = tmp_path_factory.mktemp("answering")

    def answer() -> None:
        made = plan([to_say(1), to_say(2)], task="speak", transcript="output")
        service = Service(speaks(pieces=5, first=0.3))
        run_virtual(run(made, folder / "speak", service, setups={MODEL: speaking(MODEL)}))
        asked = (written(1), written(2, expect=Expectation(number=12)))
        put(folder / "ask", Service(says("It is eleven degrees.")), *asked)

    with ThreadPoolExecutor(1) as pool:  # the browser's own loop runs in this thread
        pool.submit(answer).result()
    return {task: build_reports(folder / task).folder / "report.html" for task in ("speak", "ask")}


@pytest.mark.parametrize("task", ["speak", "ask"])
def test_pages_of_other_tasks_are_explored(opened, answering, task, axe):
    """They open without complaint, filter by what they wait for, and axe-core finds nothing in either scheme."""
    for scheme in ("light", "dark"):
        report = opened(answering[task], color_scheme=scheme)
        report.page.evaluate(
            "document.querySelectorAll('main details').forEach((one) => one.open = true)"
        )
        assert 0 == report.page.get_by_text("inal text").count()
        report.page.fill("#f-slow", "100")
        assert "0 of 2 rows" == report.count()
        report.page.get_by_role("button", name="Clear").click()
        report.page.evaluate(axe)
        found = report.page.evaluate("axe.run().then((result) => result.violations)")
        assert [] == [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]
        assert [] == report.complaints
    if task == "ask":
        assert "u0002" == report.chosen()
        report.page.select_option("#f-passed", label="yes")
        assert ("1 of 2 rows", "u0001") == (report.count(), report.chosen())
    else:
        report.page.keyboard.press("p")
        until(report.page, "document.querySelector('#detail audio').currentTime > 0.2")


def test_the_same_utterance_is_found_elsewhere(opened, said, tmp_path):
    """An utterance leads to what other models made of it, even when a filter hides that."""
    rows = [
        said.Said(id="a"),
        said.Said(id="a", model="other-model", hypothesis="fox"),
        said.Said(id="b"),
    ]
    build_reports(said.make_run(tmp_path / "run", rows))
    report = opened(tmp_path / "run" / "report.html")
    report.page.select_option("#f-model", label="other-model")
    report.page.fill("#f-text", "fox")
    assert "a" == report.chosen()
    report.page.locator(".others button").click()
    assert said.MODEL in report.page.locator("#detail .sub").inner_text()


def test_the_search_finds_the_same_before_and_after_it_was_made_ready(opened, page):
    """Searching row by row, as it must be done at first, and through all rows at once finds the same rows."""
    report = opened(page)
    report.page.wait_for_selector("#explore[data-ready=search]")
    for text in ("fox", "FOX JUMPS", "more-5", "ar-1", "\u202e", "x", "no row has this", "sample"):
        found = report.page.evaluate(
            """(text) => {
              byId("f-text").value = text;
              const rowsNow = () => [...Array(total).keys()].filter((row) => tests().every((fits) => fits(row)));
              const fast = rowsNow();
              const kept = gathered;
              gathered = null;
              const slow = rowsNow();
              gathered = kept;
              return [fast, slow];
            }""",
            text,
        )
        assert found[0] == found[1], text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(opened, page, axe, scheme, width):
    """axe-core finds no violation of WCAG 2.2 AA or best practice, with everything unfolded, wide and on a phone."""
    report = opened(page, color_scheme=scheme, viewport={"width": width, "height": 844})
    report.page.evaluate(
        "document.querySelectorAll('main details').forEach((one) => one.open = true)"
    )
    report.page.fill("#f-text", "tooth")
    report.page.evaluate(axe)
    found = report.page.evaluate("axe.run().then((result) => result.violations)")
    told = [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found]
    assert [] == told


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_scheme_is_the_readers(opened, page, scheme):
    """The page is dark where the reader wants dark, light where light."""
    report = opened(page, color_scheme=scheme)
    red = (
        report.page.evaluate("getComputedStyle(document.body).backgroundColor")
        .removeprefix("rgb(")
        .split(",")[0]
    )
    assert (int(red) < 60) == (scheme == "dark")


@pytest.mark.parametrize("width", [360, 485, 768, 1280])
def test_no_width_scrolls_sideways(opened, page, width):
    """The page itself is never wider than the window, with everything unfolded; only tables scroll within themselves."""
    report = opened(page, viewport={"width": width, "height": 740})
    report.page.evaluate(
        "document.querySelectorAll('main details').forEach((one) => one.open = true)"
    )
    assert report.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert report.page.evaluate(
        "[...document.querySelectorAll('.wide > table > caption')].every((one) => one.getBoundingClientRect().right <= innerWidth)"
    )


@pytest.mark.parametrize("pace", [1.0, 0.0])
def test_a_long_table_leaves_no_empty_half(opened, said, tmp_path, axe, pace):
    """Beside a long table nothing is empty: it has two columns where there is room for them, one on a phone; still it narrows."""
    locales = {"sample": list(LOCALES)[:4], "voices": list(LOCALES)[:30]}
    rows = [
        said.Said(id=f"{name}-{code}", dataset=name, locale=code)
        for name, codes in locales.items()
        for code in codes
    ]
    folder = said.make_run(tmp_path / "run", rows, pace=pace)
    build_reports(folder)
    report = opened(folder / "report.html")
    filled = """() => {
        const area = (one) => { const { width, height } = one.getBoundingClientRect(); return width * height };
        const grid = document.querySelector('.matrices');
        return [...grid.children].map(area).reduce((a, b) => a + b) / area(grid);
    }"""
    assert report.page.evaluate(filled) > 0.85
    columns = """() => new Set([...document.querySelectorAll('.long tbody tr')]
        .map((row) => Math.round(row.getBoundingClientRect().x))).size"""
    assert 2 == report.page.evaluate(columns)
    report.page.evaluate(axe)
    assert [] == report.page.evaluate("axe.run().then((result) => result.violations)")
    shown = report.page.locator(".long tbody tr:visible")
    assert 30 == shown.count()
    report.page.fill("#narrow", "en-")
    assert sum(code.startswith("en-") for code in locales["voices"]) == shown.count()
    report.page.fill("#narrow", "")
    report.page.set_viewport_size({"width": 390, "height": 844})
    assert 1 == report.page.evaluate(columns)
    assert report.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_it_prints(opened, page, tmp_path):
    """Printing unfolds what is folded, leaves the explorer out, and gives a PDF with the figures."""
    report = opened(page)
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert 0 == report.page.locator("main details:not([open])").count()
    report.page.emulate_media(media="print")
    assert not report.page.locator("#explorer").is_visible()
    pdf = report.page.pdf(path=tmp_path / "report.pdf")
    assert pdf.startswith(b"%PDF")


def test_hostile_text_executes_nothing(opened, said, tmp_path):
    """Markup, links, formulas, bidi overrides and control characters in every field are shown, and nothing runs."""
    rows = [
        said.Said(id=EVIL, dataset=EVIL, model=EVIL, reference=EVIL, hypothesis=EVIL + " x", speaker=EVIL, reason=EVIL),
        said.Said(id=EVIL + "2", reference="a b", hypothesis=EVIL, emulator=f"1; {EVIL}"),
        said.Said(id="elsewhere", emulator=None, endpoint="ws://evil<b>host"),
    ]  # fmt: skip
    folder = said.make_run(tmp_path / "run", rows, command=EVIL, notes=[EVIL])
    build_reports(folder)
    report = opened(folder / "report.html")
    report.page.evaluate(
        "document.querySelectorAll('main details').forEach((one) => one.open = true)"
    )
    for place in range(3):
        report.page.locator(".item").nth(place).click()
        report.page.locator("#detail summary").click()
    assert [] == report.complaints
    assert [] == report.requests
    assert (
        0
        == report.page.locator(
            "img, iframe, object, embed, link, base, [onload], [onerror]"
        ).count()
    )
    assert 0 == report.page.locator("a:not([href^='#'])").count()
    assert "<script>alert(1)</script>" in report.page.locator("#detail").inner_text()


def test_without_script_the_figures_are_there(browser, page):
    """A browser without scripts shows warnings, rates, latency, cost and method, and says what it cannot show."""
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(page.as_uri())
    text = shown.locator("body").inner_text()
    for words in (
        "Before you believe",
        "Error rates",
        "Latency",
        "List prices",
        "needs JavaScript",
    ):
        assert words in text
    context.close()
