"""report.html: one file, no request, no markup from anybody's text, and everything readable without its script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from harness.report.build import build_reports

TAGS = {
    "a", "abbr", "article", "aside", "b", "bdi", "body", "br", "button", "caption", "circle", "code", "dd", "details", "div", "dl", "dt",
    "em", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "head", "header", "html", "input", "kbd", "label", "li", "line", "main",
    "meta", "nav", "noscript", "option", "p", "path", "pre", "rect", "script", "section", "select", "small", "span",
    "strong", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


EVIL = (
    "</script></style></title><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\u2028&lt;"
)


class Parsed(HTMLParser):
    """A page as a browser's parser sees it: tags, attributes, and the text of each element kind."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self._inside: str | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in self.inline else None
        if self._inside:
            self.inline[tag].append("")

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data):
        if self._inside:
            self.inline[self._inside][-1] += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def table(tmp_path_factory, said):
    """One of everything, hostile text in every field that comes from outside."""
    rows = [
        *said.STORIES,
        said.Said(
            id=EVIL,
            dataset=EVIL,
            model=EVIL,
            reference=EVIL,
            hypothesis=EVIL + " x",
            speaker=EVIL,
            reason=EVIL,
        ),
        said.Said(id="elsewhere", emulator=None, endpoint="ws://" + "evil<b>host"),
        said.Said(id="eared", emulator=f"1; {EVIL}"),
    ]
    folder = said.make_run(
        tmp_path_factory.mktemp("page") / "run", rows, command=EVIL, notes=[EVIL]
    )
    return build_reports(folder)


@pytest.fixture(scope="module")
def page(table):
    """The page's text."""
    return (table.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(page):
    """The page, parsed."""
    return Parsed(page)


def test_hostile_text_never_becomes_markup(parsed):
    """There are no elements but our template's, no event handler, no inline style, no link out of the page."""
    require_no_markup(parsed)


def require_no_markup(parsed: Parsed) -> None:
    """Fail when a page has anything that its templates have not."""
    assert TAGS >= {tag for tag, _ in parsed.tags}
    *packs, _ = parsed.inline["script"]
    assert all(re.fullmatch(r"[A-Za-z0-9+/=\s]+", pack) for pack in packs), "data, and the script"
    assert 1 == len(parsed.inline["style"])
    for _, attributes in parsed.tags:
        assert not [
            name
            for name in attributes
            if name.startswith("on") or name in ("src", "style", "action")
        ]
        assert attributes.get("href", "#").startswith("#")


def test_the_policy_allows_these_inline_elements_and_nothing_else(parsed):
    """The content-security policy forbids every source but the page's own style and script, by their hashes."""
    (policy,) = [
        a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    for rule, text in (
        ("script-src", parsed.inline["script"][-1]),
        ("style-src", parsed.inline["style"][0]),
    ):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" == rules.pop(rule)
    assert {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"} == rules


def test_the_page_names_no_address_to_fetch(parsed):
    """Style and script contain no URL, import or request, but the name of SVG's elements."""
    for text in (parsed.inline["style"][0], parsed.inline["script"][-1]):
        assert not re.search(
            r"https?:|url\(|@import|fetch\(|XMLHttp|innerHTML|insertAdjacent|document\.write|eval\(",
            text.replace('"http://www.w3.org/2000/svg"', ""),
        )


def test_the_data_is_the_rows(table, page, said):
    """The explorer's columns hold every row in plan order: texts as they are, figures to their precision."""
    columns = said.unpacked(page, "rows")
    assert [row.utterance_id for row in table.rows] == columns["utterance_id"]
    for name in ("dataset", "locale", "model", "outcome", "metric", "reason"):
        words = columns[name + ".words"]
        assert [getattr(row, name) for row in table.rows] == [
            words[int(place)] for place in columns[name]
        ]
    for name, step in (("errors", 0), ("rate", 1e-5), ("final_text_s", 1e-3), ("cost_usd", 1e-7)):
        stored = columns[name]
        assert [getattr(row, name) for row in table.rows] == [
            None if value is None else pytest.approx(value, abs=step) for value in stored
        ]


def test_the_texts_are_the_rows(table, page, said):
    """Reference, hypothesis and the alignment that was counted are there for every row of a small run."""
    texts = said.unpacked(page, "texts")
    assert list(range(len(table.rows))) == texts["rows"]
    for row, at in zip(table.rows, range(0, len(texts["texts"]), 3), strict=True):
        reference, hypothesis, diff = texts["texts"][at : at + 3]
        assert (row.reference or "", row.hypothesis or "") == (reference, hypothesis)
        pieces = [(piece[0], *piece[1:].split("\x1f")) for piece in diff.split("\x1e") if piece]
        assert [
            (op, said, heard) if op == "S" else (op, heard if op == "I" else said)
            for op, said, heard in row.diff
        ] == pieces


def test_a_session_is_there_as_it_went(table, page, said):
    """A row's fragments and wire events are there with their times; audio frames are one stretch."""
    columns = said.unpacked(page, "sessions")
    place = next(n for n, row in enumerate(table.rows) if row.utterance_id == "en-22")
    session = columns["sessions"][columns["rows"].index(place)]
    assert "the quick brown box jumped" == "".join(text for _, text, _ in session["fragments"])
    assert [0.5, 3.5] == session["speech"]
    sent = [moment for moment in session["moments"] if moment[2] == "realtimeInput.audio"]
    assert [
        [0.1, ">", "realtimeInput.audio", "13 frames, 1.30 s of audio", 1.3],
        [1.4, ">", "realtimeInput.audio", "27 frames, 2.70 s of audio", 4.003],
    ] == sent
    told = {name: (direction, detail) for _, direction, name, detail, *_ in session["moments"]}
    assert ("<", "") == told["serverContent.turnComplete"]
    direction, bill = told["usageMetadata"]
    assert ("<", 137) == (direction, json.loads(bill)["totalTokenCount"])
    assert [t for t, *_ in session["moments"]] == sorted(t for t, *_ in session["moments"])


def test_a_reader_without_script_gets_every_figure(table, parsed):
    """Labels, warnings, every cell's rate and the command are in the page's own text."""
    for label in table.summary.labels:
        assert label.text.split("<")[0] in parsed.text
    for warning in table.summary.warnings:
        assert warning.text.replace("\u2028", "") in parsed.text.replace("\u2028", "")
    for cell in table.summary.cells:
        assert cell.rate is None or f"{cell.rate * 100:.1f} %" in parsed.text
    assert table.summary.command in parsed.text


@pytest.mark.parametrize(
    "emulator, endpoint, label",
    [
        ("0.1.0; whisper-base", "ws://127.0.0.1:1/ws", "EMULATED (whisper-base)"),
        ("0.1.0; whisper-base", "wss://generativelanguage.googleapis.com/ws", "EMULATED (whisper-base)"),
        ("0.1.0; scripted", "ws://127.0.0.1:1/ws", "EMULATED (SCRIPTED, no recogniser)"),
        ("0.1.0; whisper-base; answers.jsonl", "ws://127.0.0.1:1/ws", "EMULATED (whisper-base), ANSWERS READ FROM answers.jsonl"),
        ("", "ws://127.0.0.1:1/ws", "EMULATED (unknown ear)"),
        (None, "ws://127.0.0.1:8080/ws", "OTHER ENDPOINT (127.0.0.1:8080)"),
        (None, "wss://me:pass@proxy.example/ws", "OTHER ENDPOINT (proxy.example)"),
        (None, "wss://generativelanguage.googleapis.com.evil.example/ws", "OTHER ENDPOINT (generativelanguage.googleapis.com.evil.example)"),
        (None, "ws://generativelanguage.googleapis.com/ws", "OTHER ENDPOINT (generativelanguage.googleapis.com)"),
        (None, "wss://[broken/ws", "OTHER ENDPOINT (wss://[broken/ws)"),
        (None, "wss://generativelanguage.googleapis.com/ws", None),
        (None, "wss://europe-west4-aiplatform.googleapis.com/ws", None),
    ],
)  # fmt: skip
def test_nobody_can_miss_who_answered(run, said, emulator, endpoint, label):
    """Title, page, Markdown and terminal begin with EMULATED or OTHER ENDPOINT unless Google's host answered."""
    table = build_reports(run([said.Said(id="a", emulator=emulator, endpoint=endpoint)]))
    assert [label] * bool(label) == [one.text for one in table.summary.labels]
    page = (table.folder / "report.html").read_text(encoding="utf-8")
    title = re.search("<title>(.*?)</title>", page).group(1)
    assert title.startswith(label or table.summary.models[0])


def test_a_rate_above_the_chart_is_told(run, said):
    """In error against latency a locale above 100 % has an arrow and its rate, and the chart counts such locales."""
    wrong = {"reference": "the fox", "hypothesis": "a b c d e"}
    for many in (False, True):
        locales = {"en-US": {}, "de-DE": {"hypothesis": ""}, "fr-FR": wrong if many else {}}
        folder = run([said.Said(id=f"{name}-{many}", locale=name, **one) for name, one in locales.items()])  # fmt: skip
        build_reports(folder)
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert many == ("under an arrow: 1 locale above 100 %" in page)
        assert many == ("fr-FR ↑ 250.0 %" in page)
        assert many == ('class="beyond s0"' in page)
        assert "de-DE ↑" not in page


def test_synthetic_speech_is_said_everywhere(table, page):
    """A dataset of synthetic speech is called so in the head, the matrix, the method and the Markdown table."""
    assert 3 == page.count('class="synthetic"')
    assert "voices (synthetic)" in (table.folder / "summary.md").read_text(encoding="utf-8")
