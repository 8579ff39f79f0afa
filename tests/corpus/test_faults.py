"""Every kind of fault: told with file and line, and the reader goes on to the next row."""

import json
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.load import load
from harness.corpus.check import audio_faults, check
from harness.corpus.manifest import Entry
from harness.corpus.shelf import open_dataset
from harness.corpus.utterance import Utterance
from harness.errors import InputError

GOOD = {"audio_filepath": "good.wav", "text": "fine", "locale": "de-DE", "id": "good"}


def row(**cells):
    """Return a JSON line of a row that is good but for `cells`; None drops one."""
    merged = {**GOOD, "id": "odd", **cells}
    return json.dumps({key: value for key, value in merged.items() if value is not ...})


def told(path, **options):
    """Return the faults of a dataset as (where, line, warning, what)."""
    return [(f.where, f.line, f.warning, f.what) for f in check(str(path), **options)]


@pytest.fixture
def manifest(tmp_path, wav):
    """Give a function that writes manifest.jsonl: the odd line between two good ones, in a folder with audio."""
    wav(tmp_path / "data" / "good.wav")
    wav(tmp_path / "outside.wav")

    def write(line):
        path = tmp_path / "data" / "manifest.jsonl"
        first, last = (json.dumps({**GOOD, "id": one, "text": one}) for one in ("first", "last"))
        data = line if isinstance(line, bytes) else line.encode("utf-8")
        path.write_bytes(first.encode() + b"\n" + data + b"\n" + last.encode() + b"\n")
        return path

    return write


@pytest.fixture(scope="module")
def spoken(wav, tmp_path_factory):
    """An utterance with a file of 0.2 s."""
    speech = wav(tmp_path_factory.mktemp("spans") / "a.wav")
    return Utterance(dataset="d", id="a", audio=speech, reference="x", locale="de-DE")


@given(
    offset=st.sampled_from([0, 0.1, 0.15, 0.1999, 0.19999, 0.2, 0.2001, 0.25, 0.29, 0.31])
    | st.floats(0, 0.4),
    duration=st.none() | st.sampled_from([1e-6, 0.1, 0.2, 0.25, 0.35]) | st.floats(1e-7, 0.4),
)
def test_a_span_is_refused_by_the_check_where_it_cannot_be_loaded(spoken, offset, duration):
    """Header read or samples decoded, a span that `load` refuses is a fault, and no other is one."""
    named = msgspec.structs.replace(spoken, offset_s=offset, duration_s=duration)
    entry = Entry(named, "manifest.jsonl", 1)
    try:
        load(spoken.audio, offset_s=offset, duration_s=duration)
        refused = []
    except InputError:
        refused = [False]
    for deep in (False, True):
        faults = [fault.warning for fault in audio_faults(entry, deep=deep)]
        assert refused == [warning for warning in faults if not warning]


@pytest.mark.parametrize(
    "line, what",
    [
        (row(audio_filepath=...), "no audio column"),
        (row(audio_filepath=""), "audio_filepath is empty"),
        (row(audio_filepath=7), "audio_filepath is not text"),
        (row(audio_filepath="../outside.wav"), "leaves the dataset's folder"),
        (row(audio_filepath="x/../../outside.wav"), "leaves the dataset's folder"),
        (row(audio_filepath="https://example.org/a.wav"), "is a URL"),
        (row(audio_filepath="a\u0000.wav"), "control characters"),
        (row(audio_filepath="a" * 300 + ".wav"), "File name too long"),
        (row(audio_filepath="sub/.."), "is a folder"),
        (row(audio_filepath="missing.wav"), "there is no such file"),
        (row(audio_filepath="manifest.jsonl"), "manifest.jsonl"),
        (row(audio_filepath="/dev/zero"), "is not a regular file"),
        (row(locale=...), "no locale"),
        (row(locale="xx-YY"), "unknown locale “xx-YY”"),
        (row(locale="pt-PT"), "pt-BR"),
        (row(locale=["de"]), "locale is not text"),
        (row(id="first"), "id “first” is taken by manifest.jsonl:1"),
        (row(id="a\u0007b"), "control characters in id"),
        (row(id=1.5), "id is not text"),
        (row(id="x" * 513), "id is longer than 512"),
        (row(text=42), "text is not text"),
        (row(offset="soon"), "offset “soon” is not a number"),
        (row(duration="1,5"), "duration “1,5” is not a number of seconds: write 1.5, with a point"),
        (row(offset=True), "offset “True” is not a number"),
        (row(offset=-1), "offset “-1” is not a time"),
        (row(duration="inf"), "duration “inf” is not a time"),
        (row(duration=0), "duration is 0"),
        (row(duration=1e308), "duration “1e+308” is more than a year"),
        (row(offset="1e308"), "offset “1e308” is more than a year"),
        (row(offset=0.1, duration=9), "the span ends at 9.1 s, and the file at 0.20 s"),
        (row(offset=9), "good.wav: the span from 9 s starts beyond the file: it ends at 0.20 s"),
        (row(offset=0.2, duration=0.05), "the span from 0.2 s starts beyond the file"),
        (row(offset=0.1, duration=1e-6), "a span of 1e-06 s holds no samples"),
        ('{"audio_filepath": "good.wav", ', "not a JSON object"),
        ('{"audio_filepath": NaN}', "not a JSON object"),
        ("[1, 2]", "a JSON array"),
        ('"text"', "not a JSON object"),
        ('{"a":' * 20_000, "nested too deeply"),
        ('{"audio_filepath": "good.wav", "id": "\\ud800"}', "half of a surrogate pair"),
        (b'{"audio_filepath": "\xff"}', "not UTF-8: byte 0xff at byte 21"),
        ('{"text": "' + "x" * (1 << 20) + '"}', "longer than 1 MiB"),
    ],
    ids=lambda value: None if isinstance(value, bytes) or value.startswith(("{", "[")) else value,
)
def test_a_bad_line_is_told_and_the_next_one_read(manifest, line, what):
    """One fault, at the file and line, and the two good utterances are there."""
    path = manifest(line)
    [(where, number, warning, text)] = told(path)
    assert ("manifest.jsonl", 2, False) == (where, number, warning)
    assert what in text
    assert {"first", "last"} <= {u.id for u in open_dataset(str(path)).utterances}


def test_all_faults_of_a_row_are_told_at_once(manifest):
    """A row with three faults gives three, so that nobody mends them one by one."""
    path = manifest(row(locale="xx", duration="x", audio_filepath="../outside.wav"))
    assert [2, 2, 2] == [line for _, line, _, _ in told(path)]


def test_a_missing_text_column_is_a_fault_but_the_audio_can_be_heard(manifest):
    """A row without text is told, and stays without reference."""
    path = manifest(row(text=...))
    [(_, line, warning, what)] = told(path)
    assert (2, False) == (line, warning)
    assert "no text column" in what
    assert [None] == [u.reference for u in open_dataset(str(path)).utterances if u.id == "odd"]


@pytest.mark.parametrize(
    "line, what, odd",
    [
        (row(text=None), "no reference", {"reference": None}),
        (row(text="a\u0000b\u001b"), "control characters in text (2)", {"reference": "a b "}),
        (row(locale="de"), "locale “de” is taken as de-DE", {"locale": "de-DE"}),
        (row(locale="es_419"), "taken as es-US", {"locale": "es-US"}),
    ],
)
def test_what_can_be_used_all_the_same_is_a_warning(manifest, line, what, odd):
    """A warning says what was done, and the utterance is usable."""
    path = manifest(line)
    [(where, number, warning, text)] = told(path)
    assert ("manifest.jsonl", 2, True) == (where, number, warning)
    assert what in text
    [utterance] = [u for u in open_dataset(str(path)).utterances if u.id == "odd"]
    assert odd == {name: getattr(utterance, name) for name in odd}


def test_an_empty_text_in_json_says_that_nothing_is_said(manifest):
    """`""` is a reference of no words, not a missing one."""
    path = manifest(row(text=""))
    assert [] == told(path)
    assert "" in [u.reference for u in open_dataset(str(path)).utterances]


def test_an_utterance_that_is_there_twice_is_a_warning(manifest):
    """The same audio with the same text counts twice in every figure; another take of a text does not."""
    path = manifest(row(text="first"))
    [(where, line, warning, what)] = told(path)
    assert ("manifest.jsonl", 2, True) == (where, line, warning)
    assert "the audio and text of a row before: it counts once more" == what
    assert [] == told(manifest(row(text="first", offset=0.1)))


def test_a_byte_order_mark_is_a_warning(manifest):
    """The mark is dropped, and the first line is read as if it were not there."""
    path = manifest(row())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    [(where, line, warning, what)] = told(path)
    assert ("manifest.jsonl", 1, True) == (where, line, warning)
    assert "byte-order mark" in what
    assert 3 == len(open_dataset(str(path)).utterances)


def test_utf_16_is_told_once(manifest):
    """A file that Notepad saved as Unicode is one fault, not one a line."""
    path = manifest(row())
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16")
    faults = told(path)
    assert "UTF-16" in faults[0][3]
    assert ["no usable utterance"] == [what for _, _, _, what in faults[1:]]


def test_an_absolute_path_is_for_a_manifest_that_the_user_names(manifest, tmp_path):
    """Named itself, a manifest may point anywhere, as NeMo's do; found in a folder, it may not."""
    path = manifest(row(audio_filepath=str(tmp_path / "outside.wav")))
    assert [] == told(path)
    [(_, line, warning, what)] = told(path.parent)
    assert (2, False) == (line, warning)
    assert "leaves the dataset's folder" in what


def test_an_absolute_path_inside_is_inside(manifest, tmp_path):
    """What counts is where a path leads, not how it is written."""
    path = manifest(row(audio_filepath=str(tmp_path / "data" / "good.wav")))
    assert [] == told(path.parent)


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_symbolic_link_that_leads_out_is_a_fault(manifest, tmp_path, link):
    """Neither a linked file nor a file in a linked folder leaves the dataset."""
    if link == "file":
        (tmp_path / "data" / "link.wav").symlink_to(tmp_path / "outside.wav")
        path = manifest(row(audio_filepath="link.wav"))
    else:
        (tmp_path / "data" / "sub").symlink_to(tmp_path)
        path = manifest(row(audio_filepath="sub/outside.wav"))
    for named in (path, path.parent):
        [(_, line, warning, what)] = told(named)
        assert (2, False) == (line, warning)
        assert "leaves the dataset's folder" in what


def test_a_symbolic_link_that_stays_inside_is_followed(manifest, tmp_path):
    """Links within the dataset are its own business, and so is a link to the dataset."""
    (tmp_path / "data" / "link.wav").symlink_to("good.wav")
    path = manifest(row(audio_filepath="link.wav"))
    (tmp_path / "elsewhere").symlink_to(path.parent)
    assert [] == told(path)
    assert [] == told(tmp_path / "elsewhere")


def test_a_pipe_is_not_audio_and_nobody_waits_for_it(manifest, tmp_path):
    """A named pipe is a fault, found without opening it."""
    os.mkfifo(tmp_path / "data" / "pipe.wav")
    [(_, line, _, what)] = told(manifest(row(audio_filepath="pipe.wav")))
    assert 2 == line
    assert "is not a regular file" in what


def test_a_deep_check_hears_what_a_header_hides(manifest, tmp_path, wav):
    """A silent clip has a sound header; decoded to its end, it is told as a warning."""
    silent = wav(tmp_path / "data" / "silent.wav", seconds=1)
    silent.write_bytes(silent.read_bytes()[:44] + bytes(32_000))
    path = manifest(row(audio_filepath="silent.wav"))
    assert [] == told(path)
    [(_, line, warning, what)] = told(path, deep=True)
    assert (2, True) == (line, warning)
    assert "silence" in what


def test_faults_come_in_the_order_of_the_manifest(manifest):
    """Row faults and audio faults are told line by line."""
    path = manifest(row(audio_filepath="missing.wav") + "\n" + row(id="last", locale="xx"))
    assert [2, 3] == [line for _, line, _, _ in told(path)]


def test_a_dataset_without_a_usable_utterance_is_an_input_error(manifest, tmp_path):
    """Opening names the first faults; checking tells all of them and does not raise."""
    path = tmp_path / "data" / "bad.jsonl"
    path.write_text("\n".join([row(locale="xx")] * 5), encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.jsonl:1: unknown locale") as caught:
        open_dataset(str(path))
    assert "and 2 more" in str(caught.value)
    assert [1, 2, 3, 4, 5, None] == [line for _, line, _, _ in told(path)]


def test_a_default_locale_is_for_rows_that_name_none(manifest):
    """The locale given beside the dataset fills gaps and overrides nothing."""
    path = manifest(row(locale=...))
    opened = open_dataset(str(path), locale="fr")
    assert ["de-DE", "fr-FR", "de-DE"] == [u.locale for u in opened.utterances]
