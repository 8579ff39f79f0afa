"""The page of a comparison: one file, no script, no request, and nobody's text becomes markup."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import subprocess
from html.parser import HTMLParser

import msgspec
import pytest

from harness.cli import main
from harness.report.comparison.comparable import open_runs
from harness.report.comparison.compare import comparison
from harness.report.comparison.digest import comparison_markdown, comparison_text
from harness.report.page.comparison import comparison_page
from harness.run.folder import read_plan, write_plan

EVIL = "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m|`*@all http://x\u2028&lt;"
TAGS = {
    "a", "article", "aside", "b", "bdi", "body", "br", "caption", "circle", "code", "dd", "div", "dl", "dt", "footer",
    "h1", "h2", "h3", "head", "header", "html", "li", "line", "main", "meta", "nav", "p", "section", "small",
    "span", "strong", "style", "svg", "table", "tbody", "td", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


class Parsed(HTMLParser):
    """A page as a browser's parser sees it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self._in_style = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if self._in_style:
            self.style += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def document(tmp_path_factory, said):
    """A forced comparison with hostile text in every field that comes from outside."""

    def rows(hypothesis, reason):
        worse = {"ar-XA", "hi-IN", "th-TH"} if reason else ()
        return [
            *(
                dataclasses.replace(one, hypothesis=(one.reference or "")[:9])
                if one.locale in worse
                else one
                for one in said.STORIES
            ),
            said.Said(
                id=EVIL, dataset=EVIL, model=EVIL, speaker=EVIL, reason=reason, emulator=f"1; {EVIL}",
                reference="one two three four" + EVIL, hypothesis=hypothesis,
            ),
        ]  # fmt: skip

    folder = tmp_path_factory.mktemp("compare")
    base = said.make_run(folder / "base", rows(EVIL + " one", None), command=EVIL)
    new = said.make_run(folder / "<b>new", rows("one two " + EVIL, EVIL), command=EVIL)
    plan = read_plan(new)
    setups = {EVIL: {EVIL: {EVIL: EVIL}}}
    utterances = [
        msgspec.structs.replace(one, reference=f"{EVIL} other") if one.id == "en-1" else one
        for one in plan.utterances
    ]
    write_plan(new, msgspec.structs.replace(plan, setups=setups, turns=EVIL, utterances=utterances))
    return comparison(open_runs(base, [new], force=True), margin=0.01)


@pytest.fixture(scope="module")
def parsed(document):
    """The page, parsed."""
    return Parsed(comparison_page(document).decode())


def test_hostile_text_never_becomes_markup(parsed):
    """There are no elements but our template's, no event handler, no inline style, no script, no link out."""
    assert TAGS >= {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        assert not [
            name
            for name in attributes
            if name.startswith("on") or name in ("src", "style", "action")
        ]
        assert attributes.get("href", "#").startswith("#")


def test_the_policy_allows_the_style_alone(parsed):
    """The content-security policy forbids every source but the page's own style, by its hash."""
    (policy,) = [
        a["content"] for _, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(parsed.style.encode()).digest()).decode()
    assert {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    } == dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert "http" not in parsed.style
    assert "@import" not in parsed.style


def test_what_was_overruled_is_said_first(document, parsed):
    """Text, Markdown and page begin with what makes the runs incomparable."""
    assert comparison_text(document).startswith("FORCED: ")
    assert comparison_markdown(document).startswith("> ⚠ **FORCED: ")
    body = parsed.text.partition("live-harness comparison")[2]
    assert body.replace("Skip to the results", "").strip().startswith("FORCED: ")


def test_every_row_and_moved_utterance_is_on_the_page(document, parsed):
    """Differences, verdicts, configuration and both transcripts are in the page's own text."""
    (contrast,) = document.contrasts
    for moved in contrast.moved:
        for text in (moved.base_hypothesis, moved.new_hypothesis, moved.reference):
            assert (text or "–") in parsed.text
    for change in contrast.changes:
        assert change.field in parsed.text
    for cell in contrast.cells:
        assert cell.why is None or cell.why in parsed.text
    directions = {
        a.get("lang"): a.get("dir") for tag, a in parsed.tags if tag == "div" and "lang" in a
    }
    assert {"ar": "rtl", "hi": "ltr", "en": "ltr"}.items() <= directions.items()


def test_a_terminal_and_a_comment_stay_unharmed(document):
    """No control character or bidi override reaches a terminal, and no markup or mention a comment."""
    text = comparison_text(document)
    assert not {"\x1b", "\u202e", "\u2028"} & set(text)
    markdown = comparison_markdown(document)
    assert not {"\x1b", "\u202e", "\u2028"} & set(markdown)
    for markup in ("<img", "<script", "@all", "http://"):
        assert markup not in markdown.replace(r"\<", "")
    tables: list[set[int]] = [set()]
    for line in markdown.splitlines():
        if line.startswith("|"):
            tables[-1].add(line.replace(r"\|", "").count("|"))
        elif tables[-1]:
            tables.append(set())
    assert len(tables) > 2
    assert not [widths for widths in tables if len(widths) > 1]


@pytest.mark.wall
def test_a_browser_runs_nothing_and_fetches_nothing(document, tmp_path, chromium):
    """In Chromium the page draws its table without error, alert or request."""
    page = tmp_path / "compare.html"
    page.write_bytes(comparison_page(document))
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--enable-logging=stderr",
         f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    assert TAGS >= {tag for tag, _ in Parsed(done.stdout).tags}


def test_the_command_writes_the_page(run, said, tmp_path, capsys):
    """--html writes the page whole beside what stdout says."""
    folder = run([said.Said(id="a")])
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(folder), str(folder), "--html", str(tmp_path / "c.html"), "--json"])
    assert 0 == ended.value.code
    assert "comparison" == json.loads(capsys.readouterr().out)["kind"]
    assert (tmp_path / "c.html").read_bytes().rstrip().endswith(b"</html>")
