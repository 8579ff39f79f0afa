"""A run's attempts, read where they lie."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.run import attempts
from harness.run.attempts import Attempts, Slots, lacking
from harness.run.folder import JOURNAL, read_journal, slot, slots
from harness.run.lines import cut_torn_line, numbered_lines
from tests.bench.records import MODEL, record
from tests.run.runs import plan, utterance


def journal(folder, records, torn=b""):
    """Write a journal of `records` and return it as a sequence."""
    lines = [msgspec.json.encode(one) + b"\n" for one in records]
    (folder / JOURNAL).write_bytes(b"".join(lines) + torn)
    return Attempts(folder)


@pytest.mark.parametrize("torn", [b"", b'{"schema":1,"utter'])
def test_attempts_are_the_journal(tmp_path, torn):
    """As a sequence they are what reading the journal gives, and what is behind it; half a line is none of them."""
    before = [record(number, "ä" * number) for number in range(5)]
    found = journal(tmp_path, before, torn)
    assert before == read_journal(tmp_path) == list(found) == found[:]
    found.behind = [record(9, "late")]
    every = [*before, *found.behind]
    assert every == list(found)
    assert every == [found[place] for place in range(len(found))]
    assert (every[-1], every[1:4]) == (found[-1], found[1:4])
    with pytest.raises(IndexError):
        found[len(every)]


def test_what_is_written_later_is_no_part_of_them(tmp_path):
    """A run at work writes on: a report has what was there when it began."""
    found = journal(tmp_path, [record(1, "a")])
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(msgspec.json.encode(record(2, "b")) + b"\n")
    assert [record(1, "a")] == list(found)
    assert 1 == len(found)


def test_a_missing_journal_is_empty_and_a_bad_line_is_named(tmp_path):
    """No journal is no attempt; a line that is no record is named, whichever way it is asked for."""
    assert [] == list(Attempts(tmp_path))
    (tmp_path / JOURNAL).write_bytes(msgspec.json.encode(record(1, "a")) + b"\n{}\n")
    found = Attempts(tmp_path)
    for ask in (lambda: found[1], lambda: list(found)):
        with pytest.raises(InputError, match=r"journal\.jsonl:2: not a readable record"):
            ask()


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([MODEL, "other", "none"]), st.integers(0, 3)),
        max_size=30,
    )
)
def test_places_are_those_of_a_dictionary(drawn):
    """Where each part of the plan has its attempts is what grouping the records by their slot gives; others are foreign."""
    made = plan([utterance(number) for number in range(4)], models=(MODEL, "other"), repeats=2)
    records = [
        msgspec.structs.replace(record(0, ""), utterance=f"u{n:04}", model=model, repeat=repeat)
        for n, model, repeat in drawn
    ]
    expected: dict = {}
    for place, one in enumerate(records):
        expected.setdefault(slot(one), []).append(place)
    found = Slots(made, records)
    wanted = list(slots(made))
    assert [expected.get(one, []) for one in wanted] == [found.places(one) for one in wanted]
    assert sum(slot(one) not in wanted for one in records) == found.foreign
    several = [own for one, own in expected.items() if one in wanted and len(own) > 1]
    assert sorted(several) == sorted(found.again())


def lines(*numbers):
    """Return the journal's lines of some records, all of one length."""
    return b"".join(msgspec.json.encode(record(number, f"u{number}")) + b"\n" for number in numbers)


def replaced(path):
    """Put another journal in its place."""
    other = path.with_name("other")
    other.write_bytes(lines(7, 8, 9))
    other.replace(path)


def mended(path):
    """Cut half a line off and write on, as a run that continues does."""
    with path.open("r+b") as file:
        cut_torn_line(file.fileno())
        file.seek(0, 2)
        file.write(lines(6, 7))


@pytest.mark.parametrize("happens", [mended, Path.unlink, replaced])
def test_what_happens_to_the_journal_changes_no_attempt(tmp_path, happens):
    """A run mends the end and writes on, or the journal is removed or replaced: the attempts are those that were there."""
    found = journal(tmp_path, (before := [record(n, f"u{n}") for n in range(3)]), lines(5)[:40])
    begun = iter(found)
    first = next(begun)
    happens(tmp_path / JOURNAL)
    assert before == [first, *begun] == list(found) == found[:]
    with pytest.raises(IndexError):
        found[3]


@pytest.mark.parametrize("happens", [mended, Path.unlink, replaced])
@pytest.mark.parametrize("torn", [b"", lines(5)[:40]])
def test_what_the_journal_lacked_is_told_of_the_one_that_is_read(tmp_path, torn, happens):
    """Whether its end was torn is told of the journal whose attempts these are, not of what lies there by then."""
    found = journal(tmp_path, [record(n, f"u{n}") for n in range(3)], torn)
    happens(tmp_path / JOURNAL)
    assert (1 if torn else 0) == sum("midst of a line" in one for one in lacking(found))
    assert (1 if torn else 0) == len(lacking(found))


def test_a_journal_that_comes_later_was_missing(tmp_path):
    """A report of no journal says so, though a run has begun one meanwhile."""
    found = Attempts(tmp_path)
    journal(tmp_path, [record(1, "a")])
    assert (0, True) == (len(found), "is missing" in lacking(found)[0])


def test_half_a_line_that_is_whole_a_moment_later_moves_no_other(tmp_path, monkeypatch):
    """A line whose end is written while the journal is looked through is left out, with all behind it."""

    def growing(path, fd):
        for number, line in numbered_lines(path, fd):
            if not line.endswith(b"\n"):
                with path.open("ab") as file:
                    file.write(lines(2)[40:] + lines(3))
            yield number, line

    monkeypatch.setattr(attempts, "numbered_lines", growing)
    found = journal(tmp_path, [record(1, "u1")], lines(2)[:40])
    assert [record(1, "u1")] == list(found) == found[:]
    assert lines(1, 2, 3) == (tmp_path / JOURNAL).read_bytes()


@pytest.mark.parametrize("left", [lines(2, 1), lines(1), lines(1) + lines(2)[:40], b""])
def test_a_journal_changed_in_its_place_gives_no_other_attempt(tmp_path, left):
    """Lines that somebody swapped, cut or tore where they lay are named: one is not taken for another."""
    found = journal(tmp_path, [record(n, f"u{n}") for n in (1, 2)])
    assert record(2, "u2") == found[1]
    (tmp_path / JOURNAL).write_bytes(left)
    for ask in (lambda: found[1], lambda: list(found)):
        with pytest.raises(InputError, match=r"journal\.jsonl:[12]: is not the line any more"):
            ask()
