"""Words written together or apart."""

import random

import pytest

from harness.score.score import score_text
from harness.text import compounds

WORDS = ["haus", "tür", "dampf", "schiff", "ist", "rot", "ein", "e", "in", "a"]


def spelt(words, draw):
    """Return the words with some of them written together."""
    spelling = []
    for word in words:
        if spelling and draw.random() < 0.2:
            spelling[-1] += word
        else:
            spelling.append(word)
    return spelling


def pairs(n, *, longest, seed):
    """Yield what was said and heard, both spelt at random, with one word in seven wrong."""
    draw = random.Random(seed)  # noqa: S311 - seeded
    for _ in range(n):
        said = [draw.choice(WORDS) for _ in range(draw.randint(0, longest))]
        heard = [
            draw.choice(WORDS) if draw.random() < 0.1 else word
            for word in said
            if draw.random() > 0.05
        ]
        yield spelt(said, draw), spelt(heard, draw)


def errors(said, heard, metric="WERc"):
    """Return the counts of two lists of words."""
    return score_text(
        " ".join(said), " ".join(heard), "de-DE", profile="raw-1", metric=metric
    ).counts


@pytest.mark.witness
@pytest.mark.parametrize("n, longest", [(1500, 14), (4, 400)])
def test_totals_are_those_of_kaldialign(n, longest):
    """The errors are those that kaldialign counts when it merges compounds, in short texts and long ones."""
    edit_distance = pytest.importorskip("kaldialign").edit_distance
    for said, heard in pairs(n, longest=longest, seed=1):
        assert (
            edit_distance(said, heard, merge_compounds=True)["total"] == errors(said, heard).errors
        )


def test_compounds_only_ever_lower_the_errors():
    """At most the errors of the WER, over the same reference tokens."""
    for said, heard in pairs(300, longest=12, seed=2):
        plain, merged = errors(said, heard, "WER"), errors(said, heard)
        assert merged.errors <= plain.errors
        assert merged.reference_tokens == plain.reference_tokens


@pytest.mark.parametrize(
    "said, heard, wer, merged",
    [
        ("Donaudampfschifffahrt ist schön", "Donau Dampfschifffahrt ist schön", 2, 0),
        ("an e-mail", "an email", 2, 0),
        ("ice cream please", "icecream peas", 3, 1),
        ("di sana", "disana", 2, 0),
        ("a b", "a c", 1, 1),
    ],
)
def test_readings(said, heard, wer, merged):
    """Spaces and hyphens within a compound are no error, other words are."""
    assert wer == score_text(said, heard, "de-DE", metric="WER").counts.errors
    assert merged == score_text(said, heard, "de-DE", metric="WERc").counts.errors


def test_a_long_recording_costs_no_square():
    """Ten thousand words with a compound now and then are settled at once."""
    said = [f"w{number}" for number in range(10_000)]
    heard = list(said)
    for place in range(9_000, 0, -500):
        heard[place : place + 2] = ["".join(heard[place : place + 2])]
    assert 0 == errors(said, heard).errors


def test_another_text_costs_no_square(monkeypatch):
    """Nor are two texts that have nothing in common compared as a whole: what is looked at together has a bound."""
    looked_at = []
    real = compounds._divided

    def counted(said, heard):
        looked_at.append(max(len(said), len(heard)))
        return real(said, heard)

    monkeypatch.setattr(compounds, "_divided", counted)
    said = ["Haus", "tür", *(f"w{number}" for number in range(1000))]
    heard = ["Haustür", *(f"v{number}" for number in range(2000))]
    assert 2000 == errors(said, heard).errors
    assert max(looked_at) <= compounds.MOST + 2 * compounds.LONGEST


@pytest.mark.parametrize("most", [2, 5])
def test_cuts_never_add_errors(monkeypatch, most):
    """However short the parts are, the errors are no more than those of the WER."""
    monkeypatch.setattr(compounds, "MOST", most)
    for said, heard in pairs(300, longest=30, seed=3):
        assert errors(said, heard).errors <= errors(said, heard, "WER").errors
