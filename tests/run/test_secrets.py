"""Secrets: whatever the service echoes and wherever a run fails, no key, token or header of ours is left anywhere."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import logging
import random
import re
import time
import timeit
import traceback
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import secret
from harness.clock import run_virtual
from harness.errors import HarnessError
from harness.report.assembly import run_table
from harness.report.build import derived_files
from harness.report.rows.bounds import SpeechBook
from harness.report.tables.write import write_files
from harness.run import stream
from harness.run.folder import read_journal, read_plan
from harness.secret import MASK, Secret, redact, redact_bytes, redact_joined, shows
from harness.session.transport import Upgraded
from harness.trace.hypothesis import hypothesis
from harness.trace.seams import seams
from harness.wire.live import endpoint as live
from harness.wire.live.messages import SessionResumptionConfig
from tests.run.runs import plan, run, utterance
from tests.session.memory import KEY, Service, assignment, drive

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./+="
VALUES = st.builds(
    lambda seed, size: "".join(random.Random(seed).choices(ALPHABET, k=size)),  # noqa: S311 - the same keys every time
    st.integers(0, 2**32),
    st.integers(16, 60),
)
"""As a key is: random. Texts that hypothesis thinks of itself are words of this program, which every trace holds."""

FORMS = {
    "itself": lambda s: s,
    "percent-encoded": lambda s: quote(s, safe=""),
    "in base64": lambda s: base64.b64encode(f"ab{s}cde".encode()).decode(),
    "in base64, shifted": lambda s: base64.b64encode(f"abc{s}c".encode()).decode(),
    "in base64 for URLs": lambda s: base64.urlsafe_b64encode(f"a{s}".encode()).decode(),
    "with blanks between": " ".join,
    "with signs between that nobody sees": "\u200b\u00a0\t".join,
    "escaped as in JSON": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "escaped here and there, blanks between": lambda s: "\\n ".join(
        c if n % 3 else f"\\u{ord(c):04X}" for n, c in enumerate(s)
    ),
    "escaped twice": lambda s: "".join(f"\\\\u{ord(c):04x}" for c in s),
    "percent-encoded throughout": lambda s: "".join(f"%{ord(c):02x}" for c in s),
    "in hex": lambda s: f"0x{s.encode().hex()}",
    "in hex, capitals": lambda s: s.encode().hex().upper(),
    "in hex, blanks between": lambda s: s.encode().hex(" "),
    "as references of HTML": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "as hexadecimal references, now and then padded": lambda s: "".join(
        f"&#x{ord(c):x};" if n % 2 else f"&#X{ord(c):04X};" for n, c in enumerate(s)
    ),
    "as references, percent-encoded": lambda s: quote(
        "".join(f"&#{ord(c):04};" for c in s), safe=""
    ),
    "as references, escaped as in JSON": lambda s: "".join(f"\\u0026#{ord(c)};" for c in s),
    "in base64, wrapped and escaped": lambda s: "\r\n".join(
        base64.b64encode(f"ab{s}cde".encode()).decode()
    ).replace("/", "\\/"),
}


def leaks(text: str, value: str) -> list[str]:
    """Return the runs of 8 characters of `value`, plain, percent-encoded, in hex or in base64, that `text` shows."""
    in_hex = value.encode().hex()
    forms = [value, quote(value, safe=""), in_hex, in_hex.upper()]
    for before in range(3):
        coded = base64.b64encode(bytes(before) + value.encode()).decode().rstrip("=")[4:-1]
        forms += [coded, coded.translate(str.maketrans("+/", "-_"))]
    runs = {form[at : at + 8] for form in forms for at in range(len(form) - 7)}
    texts = (text, looked_through(text))
    return sorted(run for run in runs if any(run in one for one in texts))


def looked_through(text: str) -> str:
    """Return what is left of `text` once escapes and references are read and blanks are gone, letter by letter."""
    read = re.sub(r"\\u00([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)
    read = re.sub(r"\\[nrtbf]|[^!-~]|\\", "", read)
    read = re.sub(r"%([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), read)
    read = re.sub(r"&#[xX]([0-9a-fA-F]{2,4});", lambda found: chr(int(found[1], 16)), read)
    return re.sub(r"&#([0-9]{2,4});", lambda found: chr(int(found[1])), read)


@given(VALUES, st.sampled_from(sorted(FORMS)), st.text(max_size=5), st.text(max_size=5))
def test_every_form_of_an_echo_is_masked(value, form, before, after):
    """However a peer writes our secret, what is left of its words does not show it."""
    said = redact(before + FORMS[form](value) + after, [Secret(f"Bearer {value}")])
    assert MASK in said
    assert [] == leaks(said, value)


@given(VALUES, st.sampled_from(sorted(FORMS)), st.data())
def test_a_cut_or_divided_echo_is_masked(value, form, data):
    """Cut at any offset, or divided at any two, a secret shows no run of eight characters."""
    said = FORMS[form](value)
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(said))] * 2)))
    for cut in (said[:last], said[first:], said[first:last]):
        assert [] == leaks(redact(f"it begins: “{cut}”", [Secret(value)]), value)
    pieces = redact_joined([said[:first], said[first:last], said[last:]], [Secret(value)])
    assert [] == leaks("".join(pieces), value)


@given(st.text(max_size=40))
def test_other_words_stay(text):
    """What is no secret of ours stays as it was."""
    assert text == redact(text, [Secret("a-key-that-nobody-says"[::-1])])


@settings(max_examples=50)
@given(VALUES, st.sampled_from(sorted(FORMS)), st.integers(0, 60), st.integers(8, 40))
def test_where_a_text_is_divided_to_be_searched_does_not_matter(value, form, before, block):
    """What is masked is the same whether a text is searched at once or in blocks, wherever their edges lie."""
    said = "x" * before + FORMS[form](value) + " end"
    at_once = redact(said, [Secret(value)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secret, "_BLOCK", block)
        assert at_once == redact(said, [Secret(value)])
        assert shows(said.encode(), [Secret(value)])


@settings(max_examples=300)
@given(st.lists(VALUES, min_size=1, max_size=2), st.data())
def test_what_is_seen_at_once_is_what_a_search_finds(values, data):
    """A small text is masked just as a large one is: looking at it first misses no run, however it is cut and spread."""
    secrets = [Secret(value) for value in values]
    cut = st.tuples(
        st.sampled_from(values),
        st.sampled_from(sorted(FORMS)),
        st.integers(0, 60),
        st.sampled_from([5, 7, 8, 9, 12, 24, 48, 60]),
    )
    parts = st.one_of(
        cut.map(lambda it: FORMS[it[1]](it[0])[it[2] : it[2] + it[3]]),
        st.text(max_size=9),
        st.sampled_from(["\\", "%", "\\n", "%41", " ", "\x7f", "é", "\ud800", '"']),
    )
    said = "".join(data.draw(st.lists(parts, max_size=6)))
    told = said.encode(errors="surrogatepass")
    at_once = redact(said, secrets), redact_bytes(told, secrets), shows(told, secrets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secret, "_SMALL", -1)
        assert at_once == (redact(said, secrets), redact_bytes(told, secrets), shows(told, secrets))


@given(VALUES)
def test_a_small_text_is_searched_only_when_it_may_hold_a_secret(value):
    """Of a text without escapes every run of eight characters is seen, wherever it begins; other words take no search."""
    runs = secret._runs((Secret(value),))
    for begin in range(len(value) - 7):
        for before in range(4):
            assert not runs.plainly_absent("~" * before + value[begin : begin + 8] + "~")
    assert runs.plainly_absent('{"text": "~ Guten Morgen, ~ здравствуйте! ~"}')


@given(st.lists(VALUES, min_size=2, max_size=3), st.data())
def test_several_secrets_are_masked_at_once(values, data):
    """Each of several secrets is masked, in whatever order and pieces they come."""
    said = "; ".join(data.draw(st.permutations(values)))
    at = data.draw(st.integers(0, len(said)))
    pieces = redact_joined([said[:at], said[at:]], map(Secret, values))
    assert len(values) == "".join(pieces).count(MASK)
    assert [] == [found for value in values for found in leaks("".join(pieces), value)]


def test_who_says_a_secret_all_the_time_is_not_quoted_any_further():
    """A peer that fills a message with a secret costs no more than another: from some place on all is masked as one."""
    value = "AIzaSyD-0123456789abcdef"
    masked = redact(f"{value}; " * 20_000, [Secret(value)])
    assert [] == leaks(masked, value)
    assert len(masked) < 20_000


@pytest.mark.parametrize("text", ["Zq0-" * 2**18, "a\\" * 2**19, "AIzaSyD-\x00" * 2**17])
def test_a_message_is_searched_faster_than_it_could_be_read(text):
    """The search takes less time than the interpreter takes to go through the characters six times over."""
    key = [Secret("AIzaSyD-0123456789abcdef")]
    redact(text[:100], key)

    def read():
        for _ in text:
            pass

    searched, gone_through = (
        min(timeit.repeat(work, timer=time.process_time, number=1, repeat=3))
        for work in (lambda: redact(text, key), read)
    )
    assert searched < 6 * gone_through


@given(VALUES, st.binary(max_size=9))
def test_a_secret_in_audio_is_overwritten(value, around):
    """Audio that spells a secret loses it and keeps its length."""
    data = around + value.encode() + around
    kept = redact_bytes(data, [Secret(value)])
    assert len(data) == len(kept)
    assert value.encode() not in kept


ENDPOINTS = {
    "key": lambda value: live.gemini(Secret(value), url="ws://127.0.0.1:1"),
    "token": lambda value: live.gemini_token(Secret(value), url="ws://127.0.0.1:1"),
    "bearer": lambda value: live.vertex(Secret(value), project="p", url="ws://127.0.0.1:1"),
}


class Echo(Service):
    """A service that says our secret back in every place there is; the connection's number decides how it ends."""

    def __init__(self, said: str, cut: int) -> None:
        super().__init__(self._answer)
        self.whole, self.cut, self.said = said, cut, said

    async def connect(self, endpoint, listener):
        line = await super().connect(endpoint, listener)
        line.turns = len(self.lines)
        said = {"x-live-emulator": self.said, "server": self.said}
        listener.upgraded(Upgraded(headers=said), line.loop.time())
        return line

    def _divided(self, line):
        """Say the secret in many fragments of every channel, and over the edge of an interim text."""
        step = 1 + self.cut % 9
        for at in range(0, len(self.whole), step):
            text = {"text": self.whole[at : at + step]}
            for name in ("inputTranscription", "outputTranscription"):
                line.say({"serverContent": {name: text}})
            line.say({"serverContent": {"modelTurn": {"parts": [text]}}})
        half = len(self.whole) // 2
        line.say({"serverContent": {"inputTranscription": {"text": f" {self.whole[:half]}"}}})
        line.say({"serverContent": {"interimInputTranscription": {"text": self.whole[half:]}}})
        line.say({"serverContent": {"inputTranscription": {"text": " "}}})

    def _answer(self, line, frame):
        # Whole, without its end and without its beginning, a line each.
        said = (self.whole, self.whole[: self.cut], self.whole[self.cut :])[line.turns % 3]
        if "setup" in frame:
            line.say({"setupComplete": {said: said}})
        if "activityEnd" not in frame.get("realtimeInput", {}):
            return
        spelt = base64.b64encode((said + " ").encode()[: (len(said) + 1) // 2 * 2]).decode()
        blob = {"mimeType": "audio/pcm;rate=24000", "data": spelt}
        parts = [{"text": said}, {"inlineData": blob}, {"executableCode": {said: said}}]
        line.say({"serverContent": {"inputTranscription": {"text": f" {said} "}}})
        self._divided(line)
        line.say({"serverContent": {"modelTurn": {"parts": parts}}})
        line.say({said: {"deep": [said]}, "sessionResumptionUpdate": {"newHandle": said}})
        match line.turns % 7:
            case 1:
                line.hang_up(None, f"denied: {said}", status=429)
            case 2:
                line.say({"error": {"code": 500, "message": said}})
            case 3:
                line.say_raw(f"no JSON {said}".encode())
            case 4:
                line.hang_up(1011, f"Internal error: {said}")
            case 5:
                line.say({"serverContent": {"turnComplete": True, "turnCompleteReason": said}})
            case 6 if line.turns > 7:
                line.hang_up(1007, f"API key not valid: {said}")
            case _:
                line.say({"serverContent": {"turnComplete": True}})


@settings(max_examples=10)
@given(
    st.sampled_from(sorted(ENDPOINTS)),
    VALUES,
    st.sampled_from(sorted(FORMS)),
    st.tuples(st.booleans(), st.integers(1, 70)),
)
def test_a_faulty_run_leaves_no_secret_anywhere(tmp_path_factory, kind, value, form, how):
    """No trace, journal, report, recording, log, message, traceback or repr of a run shows a secret the service echoes."""
    full, cut = how
    out = tmp_path_factory.mktemp("run") / "out"
    endpoint = ENDPOINTS[kind](value)
    said: list[str] = [repr(endpoint), str(endpoint.headers), endpoint.printable]
    handler = logging.Handler()
    handler.emit = lambda record: said.append(handler.format(record))
    logging.getLogger().addHandler(handler)
    with pytest.MonkeyPatch.context() as patch:
        if full:
            patch.setattr(stream, "write_trace", full_disk)
        try:
            tally = run_virtual(
                run(
                    plan([utterance(n, 0.1) for n in range(6)]),
                    out,
                    Echo(FORMS[form](value), cut),
                    concurrency=2,
                    endpoint=lambda: endpoint,
                    meddle=lambda pool: said.append(repr(vars(pool))),
                )
            )
            said.append(repr(tally))
        except HarnessError as error:
            said += [repr(error), "".join(traceback.format_exception(error))]
        finally:
            logging.getLogger().removeHandler(handler)
    made = read_plan(out)
    table = run_table(
        out, made, read_journal(out), SpeechBook(out), profile="norm-1n", metric="auto"
    )
    write_files(out, derived_files(table, excel=False))
    files = [path for path in out.rglob("*") if path.is_file()]
    assert full or {".wav", ".gz", ".jsonl", ".csv", ".md"} <= {path.suffix for path in files}
    said += map(content, files)
    assert [] == [found for text in said for found in leaks(text, value)]


@pytest.mark.parametrize("channel, between", [
    ("inputTranscription", ("inputTranscription", " taken back", 0.7)),
    ("outputTranscription", ("outputTranscription", " taken back", 0.7)),
    ("inputTranscription", ("interimInputTranscription", " replaced", 0.5)),
])  # fmt: skip
def test_a_secret_on_both_sides_of_a_break_is_masked(channel, between):
    """Half a secret before a break and half behind it show none, though other text came between that no reader joins."""

    def answer(line, frame):
        first = len(service.lines) == 1
        if "setup" in frame:
            line.say({"setupComplete": {}})
            said = KEY[:7] if first else KEY[7:14]
            line.say({"serverContent": {channel: {"text": said}}}, 0.4)
            if first:
                name, words, after = between
                line.say({"serverContent": {name: {"text": words}}}, after)
                line.say({"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}}, 0.6)
                line.loop.call_later(1.0, line.hang_up, 1006)
        elif "activityEnd" in frame.get("realtimeInput", {}):
            line.say({"serverContent": {"turnComplete": True}})

    service = Service(answer)
    read = "input" if channel == "inputTranscription" else "output"
    todo = assignment(2.0, channel=read)
    setup = msgspec.structs.replace(todo.setup, session_resumption=SessionResumptionConfig())
    _, trace = run_virtual(drive(service, dataclasses.replace(todo, setup=setup)))
    assert 1 == len(seams(trace))
    assert MASK == hypothesis(trace, read).text


def full_disk(*_):
    """Stand in for a disk without room."""
    raise OSError(28, "No space left on device")


def content(path) -> str:
    """Return what a file holds, unpacked."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")
