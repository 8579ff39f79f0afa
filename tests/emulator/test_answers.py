"""What is answered to what: the file's lines, their order, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.emulator.model.abilities import Abilities
from harness.emulator.model.answers import REPEAT, Answers, Said, filled
from harness.errors import InputError

DOCS = Path(__file__).parents[2] / "docs" / "emulator.md"
ALL = Abilities(functions=frozenset({"get_temp"}), silence=True)


def answers(tmp_path, *lines):
    """Return the answers of a file with these lines."""
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return Answers.from_file(path)


def heard(text):
    """Return a spoken turn."""
    return Said(text=text, heard=True, typed=False)


def typed(text):
    """Return a written turn."""
    return Said(text=text, heard=False, typed=True)


def test_without_a_line_that_fits_it_repeats(tmp_path):
    """What no line is for is said once more."""
    found = answers(tmp_path, '{"when": {"heard": "sun"}, "say": "moon"}')
    assert "rain" == found.to(heard(" rain "), ALL).say
    assert "rain" == REPEAT.to(heard(" rain "), ALL).say


def test_the_first_line_that_fits_counts(tmp_path):
    """Lines are tried from the top; case does not matter; a line without condition fits anything."""
    found = answers(
        tmp_path,
        '{"when": {"heard": "how (are|is)"}, "say": "fine"}',
        "",
        '{"when": {"text": "how"}, "say": "well"}',
        '{"say": "whatever"}',
    )
    assert "fine" == found.to(heard("So How are you?"), ALL).say
    assert "well" == found.to(typed("How are you?"), ALL).say
    assert "whatever" == found.to(heard("Who are you?"), ALL).say


def test_groups_of_the_expression_can_be_said(tmp_path):
    """The groups of what was found stand in for `{1}` and `{name}`; braces around anything else stay."""
    found = answers(
        tmp_path, '{"when": {"text": "aloud: (.*?) (?P<last>\\\\w+)$"}, "say": "{last} {1} {x} {}"}'
    )
    assert "two one {x} {}" == found.to(typed("Read aloud: one two"), ALL).say


@pytest.mark.parametrize(
    "line",
    [
        '{"call": {"name": "get_temp"}, "after": "it is {t}"}',
        '{"silent": true}',
    ],
)
def test_what_the_session_cannot_do_is_passed_over(tmp_path, line):
    """A function that is not declared is not called, and who must answer is not silent: the next line counts."""
    found = answers(tmp_path, line, '{"say": "next"}')
    assert found.to(heard("a"), ALL).say is None
    assert "next" == found.to(heard("a"), Abilities()).say


def test_a_line_that_only_thinks_repeats_as_well(tmp_path):
    """Without `say`, a line that neither calls nor is silent repeats."""
    found = answers(tmp_path, '{"think": "Hm."}').to(heard(" a"), ALL)
    assert ("Hm.", "a") == (found.think, found.say)


def test_the_documentation_shows_a_file(tmp_path):
    """The file that docs/emulator.md shows can be read, and does what is said there."""
    shown = DOCS.read_text().split("<!-- example: answers -->\n```json\n")[1].split("```")[0]
    found = answers(tmp_path, *shown.splitlines())
    assert {"city": "Rome"} == found.to(heard("How cold is it?"), ALL).call.args
    assert "one two" == found.to(typed("Read aloud: one two"), ALL).say
    assert found.to(heard("hush"), ALL).silent
    asked = Said(text="What is my name?", heard=False, typed=True, past="My name is Ada.\n")
    assert "Ada." == found.to(asked, ALL).say


def test_a_line_may_depend_on_what_is_remembered(tmp_path):
    """A line with `past` fits where that is remembered, and elsewhere the next one does; only such a file looks back."""
    found = answers(
        tmp_path,
        '{"when": {"text": "who am I", "past": "I am (\\\\w+)"}, "say": "{1}"}',
        '{"say": "?"}',
    )
    asked = Said(text="Who am I?", heard=False, typed=True, past="I am Bo.\n")
    assert "Bo" == found.to(asked, ALL).say
    assert "?" == found.to(typed("Who am I?"), ALL).say
    assert [True, False] == [found.look_back, REPEAT.look_back]


def test_fields_are_filled_once():
    """What is filled in is not looked through again."""
    assert "{b} 2" == filled("{a} {b}", {"a": "{b}", "b": 2})


@pytest.mark.parametrize(
    "line, words",
    [
        ("{", "truncated"),
        ('{"says": "a"}', "says"),
        ('{"say": 1}', "$.say"),
        ('{"when": {"heard": "("}}', "regular expression"),
        ('{"when": {"seen": "a"}}', "seen"),
        ('{"silent": true, "say": "a"}', "silent"),
        ('{"after": "a"}', "after"),
        ('{"call": {"args": {}}}', "name"),
        ('{"call": {"name": "f", "scheduling": "NOW"}}', "NOW"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, line, words):
    """The message names the file, the line and what is wrong there."""
    with pytest.raises(InputError) as caught:
        answers(tmp_path, '{"say": "a"}', line)
    assert "answers.jsonl, line 2" in caught.value.what
    assert words in str(caught.value)


def test_a_file_that_is_none_is_named(tmp_path):
    """What cannot be read, or is no text, is an error that names the file."""
    with pytest.raises(InputError, match=r"none\.jsonl"):
        Answers.from_file(tmp_path / "none.jsonl")
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"binary\.jsonl"):
        Answers.from_file(binary)
