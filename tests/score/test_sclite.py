"""sclite's own split of errors, against sclite."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score import align, sclite
from harness.score.score import score_text
from harness.stats.significance import mapsswe, segments
from tests.score import nist


def split(counts):
    """Return counts as sclite prints them."""
    return counts.hits, counts.substitutions, counts.deletions, counts.insertions


# SHA-256 of what sclite 2.10 (SCTK 9688a26, built from source) prints for these 12,000 pairs each:
# `sclite -r R trn -h H trn -i rm -s -o pralign`, every word replaced by an id of its own.
PRINTED_BY_SCLITE = {
    0.25: "090b98aba9caafef012d65d4ecce29b5fae90ca800081e79f0a586f3c7b466d3",
    0.9: "ad1673f06c6c75a640656a0c8a4c1157bbcd4ba49a21b2cdc835ae9f3ff88238",
}


@pytest.mark.parametrize("corruption", PRINTED_BY_SCLITE)
def test_the_split_is_what_sclite_printed(corruption, pairs):
    """On 24,000 random pairs in eight scripts, hits, substitutions, deletions and insertions are sclite's."""
    found = [
        split(sclite.edits(said, heard)[1])
        for _, said, heard in pairs(12_000, seed=9, corruption=corruption)
    ]
    assert PRINTED_BY_SCLITE[corruption] == hashlib.sha256(repr(found).encode()).hexdigest()


@pytest.mark.witness
@pytest.mark.wall
def test_the_split_is_what_sclite_prints(pairs):
    """Where sclite is installed, it is asked itself."""
    cases = list(pairs(4000, seed=11, corruption=0.5))
    try:
        printed = nist.sclite_counts(cases)
    except ImportError as missing:
        pytest.skip(str(missing))
    assert printed == [split(sclite.edits(said, heard)[1]) for _, said, heard in cases]


@pytest.mark.parametrize(
    "said, heard, operations",
    [
        ("ab", "ba", "D1=1I1"),
        ("def", "eff", "D1=1I1=1"),
        ("ab", "wxyz", "I2S2"),
        ("", "", ""),
        ("aa", "a", "D1=1"),
    ],
)
def test_ties(said, heard, operations):
    """Where several ways cost the same, the way is sclite's."""
    assert operations == sclite.edits(said, heard)[0]


@given(st.text(alphabet="abc", max_size=12), st.text(alphabet="abc", max_size=12))
def test_weighted_errors_are_least(said, heard):
    """Sclite's way never costs more by its weights than the plain one, and never has fewer errors."""

    def cost(counts):
        return 4 * counts.substitutions + 3 * (counts.deletions + counts.insertions)

    theirs, plain = sclite.edits(said, heard)[1], align.edits(said, heard)[1]
    assert cost(theirs) <= cost(plain)
    assert theirs.errors >= plain.errors


def test_a_score_can_be_asked_for_sclites_split():
    """The aligner changes the split, not the tokens, and the score says which it was."""
    plain = score_text("d e f", "e f f", "en-US", metric="WER")
    theirs = score_text("d e f", "e f f", "en-US", metric="WER", aligner="sclite")
    assert (1, 2, 0, 0) == split(plain.counts)
    assert (2, 0, 1, 1) == split(theirs.counts)
    assert ("minimal", "sclite") == (plain.aligner, theirs.aligner)


# Segments and Z that sc_stats 1.3 (SCTK 9688a26) printed: `sc_stats -p -t mapsswe -v`.
PRINTED_BY_SC_STATS = [(746, -0.692), (743, -1.908), (742, -4.291), (794, -6.477), (752, -7.427)]


@pytest.mark.parametrize("seed", range(5))
def test_matched_pairs_are_those_of_sc_stats(seed):
    """MAPSSWE on sclite's alignments has the segments and the Z that NIST's sc_stats printed."""
    draw = random.Random(seed)  # noqa: S311 - seeded
    words = [f"w{number}" for number in range(40)]

    def corrupted(said, rate):
        heard = []
        for word in said:
            chance = draw.random()
            if chance < rate / 3:
                continue
            heard.append(draw.choice(words) if chance < 2 * rate / 3 else word)
            if chance > 1 - rate / 3:
                heard.append(draw.choice(words))
        return heard

    said = [[draw.choice(words) for _ in range(draw.randint(1, 25))] for _ in range(300)]
    first = [corrupted(one, 0.2) for one in said]
    second = [corrupted(one, 0.2 + 0.02 * seed) for one in said]
    differences = []
    for one, a, b in zip(said, first, second, strict=True):
        differences += segments(sclite.edits(one, a)[0], sclite.edits(one, b)[0])
    found = mapsswe(differences)
    assert PRINTED_BY_SC_STATS[seed] == (found.n, round(found.statistic, 3))
