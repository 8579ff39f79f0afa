"""What is written comes back, and what comes in is judged the same whatever it holds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.corpus.fence import Fence
from harness.corpus.lines import LONGEST_LINE, Line, lines
from harness.corpus.manifest import Entry, entries, write_manifest
from harness.corpus.row import ALIASES, Row
from harness.corpus.scenario import COLUMNS
from harness.corpus.shelf import open_dataset
from harness.corpus.utterance import Utterance
from harness.errors import InputError
from harness.text.locales import LOCALES

ROOT = Path("/nowhere/data")
CONTROLS = [chr(i) for i in [*range(0x20), *range(0x7F, 0xA0)]]

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
paths = st.lists(
    names.filter(lambda name: "/" not in name and "://" not in name and name not in {".", ".."}),
    min_size=1,
    max_size=3,
).map("/".join)
seconds = st.floats(min_value=0, max_value=1e6, allow_nan=False)
json_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
taken = {name for aliases in ALIASES.values() for name in aliases} | set(COLUMNS)
tags = st.dictionaries(
    st.text(max_size=10).filter(lambda key: key not in taken), json_values, max_size=3
)
utterances = st.lists(
    st.builds(
        Utterance,
        id=names,
        dataset=st.just("data"),
        audio=paths.map(ROOT.joinpath),
        offset_s=seconds,
        duration_s=st.none() | seconds.filter(bool),
        reference=st.none()
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters=CONTROLS)),
        locale=st.sampled_from(list(LOCALES)),
        speaker=st.none() | names,
        tags=tags,
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda utterance: utterance.id,
)


@given(utterances)
def test_a_manifest_reads_back_as_it_was_written(tmp_path_factory, written):
    """Write → open gives equal utterances: every column, every tag, in order, and no fault but missing references."""
    folder = tmp_path_factory.mktemp("law") / "data"
    folder.mkdir()
    here = [
        Utterance(
            **{name: getattr(u, name) for name in Utterance.__struct_fields__}
            | {"audio": folder / u.audio.relative_to(ROOT)}
        )
        for u in written
    ]
    write_manifest(folder / "manifest.jsonl", here)
    dataset = open_dataset(str(folder))
    assert tuple(here) == dataset.utterances
    assert all(fault.warning for fault in dataset.faults)


@given(
    st.dictionaries(
        st.sampled_from(sorted(taken)) | st.text(max_size=5), json_values | st.none() | st.floats()
    )
)
def test_any_row_is_an_utterance_or_a_fault(cells):
    """No JSON object makes anything else of the reader, and an utterance keeps its promises."""
    row = Row(where="m", line=7, base=str(ROOT), cells=cells)
    fence = Fence(root=str(ROOT))
    found = list(entries([row], dataset="d", fence=fence, locale=None))
    assert found
    for item in found:
        if isinstance(item, Entry):
            utterance = item.utterance
            assert (
                utterance.reference if utterance.audio is None else ROOT in utterance.audio.parents
            )
            assert utterance.locale in LOCALES
            assert utterance.id.isprintable() or not set(CONTROLS) & set(utterance.id)
            assert 0 <= utterance.offset_s < float("inf")
        else:
            assert ("m", 7) == (item.where, item.line)


@given(st.text(max_size=30))
def test_no_path_leaves_the_fence(text):
    """Whatever a manifest names is inside the folder, or refused in words."""
    path = Fence(root=str(ROOT)).audio(text.replace("\0", ""), str(ROOT))
    assert isinstance(path, str) or ROOT in path.parents


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=20))
def test_each_line_is_text_or_a_fault(tmp_path_factory, data):
    """Lines are numbered as an editor numbers them, whatever bytes they hold."""
    path = tmp_path_factory.mktemp("lines") / "f"
    path.write_bytes(b"// first\n" + b"".join(line + b"\n" for line in data))
    found = list(lines(path, "f"))
    assert list(range(1, len(data) + 2)) == [
        item.number if isinstance(item, Line) else item.line for item in found
    ]


def test_a_long_line_costs_no_memory(tmp_path):
    """A line of 64 MiB is a fault, read in pieces, and the next line is read."""
    import tracemalloc

    path = tmp_path / "f"
    with path.open("wb") as file:
        for _ in range(64):
            file.write(b"x" * (1 << 20))
        file.write(b"\nnext")
    tracemalloc.start()
    found = list(lines(path, "f"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(1, "longer than 1 MiB: skipped"), Line(2, "next")] == [
        item if isinstance(item, Line) else (item.line, item.what) for item in found
    ]
    assert peak < 4 * LONGEST_LINE


def test_a_line_of_ten_gigabytes_takes_no_time(tmp_path):
    """What goes on for ever is given up after 256 MiB, in words; what came before it is kept."""
    path = tmp_path / "f"
    with path.open("wb") as file:
        file.write(b"first\n")
        file.truncate(10 * 2**30)  # of nothing: it takes no room on the disk
    first, fault = lines(path, "f")
    assert Line(1, "first") == first
    assert (2, True) == (fault.line, fault.what.startswith("longer than 256 MiB"))


def test_a_manifest_is_never_overwritten(tmp_path):
    """Writing to a file that exists is an InputError, and the file stays."""
    path = tmp_path / "manifest.jsonl"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(InputError, match="not overwritten"):
        write_manifest(path, [])
    assert "precious" == path.read_text(encoding="utf-8")


def test_what_is_written_is_what_nemo_reads(tmp_path):
    """The keys are NeMo's, paths are relative with slashes, and nothing absent is written."""
    utterance = Utterance(
        id="u",
        dataset="d",
        audio=tmp_path / "audio" / "a.wav",
        duration_s=1.5,
        reference="hi",
        locale="en-US",
    )
    write_manifest(tmp_path / "manifest.jsonl", [utterance])
    assert {
        "id": "u",
        "audio_filepath": "audio/a.wav",
        "text": "hi",
        "locale": "en-US",
        "duration": 1.5,
    } == json.loads((tmp_path / "manifest.jsonl").read_bytes())
