"""`Score`: how one transcript differs from what was said, under a named text profile.

Judges one utterance; does not know runs, and does not pool (counts add, so that is a sum).
"""

from __future__ import annotations

import platform
import unicodedata
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from harness.errors import UsageError, suggestion
from harness.score import align, sclite
from harness.score.edits import EditCounts
from harness.text import segment, tokenise
from harness.text.compat import LIBRARIES
from harness.text.compounds import compounded
from harness.text.locales import LOCALES, canonical
from harness.text.normalise import (
    HEADLINE,
    Normaliser,
    normalised,
    steps,
    strict_profile,
    tolerates_numbers,
)
from harness.text.numbers import has_digits, tolerant
from harness.text.numerals import library, missing_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Tokens: TypeAlias = "Callable[[str], Sequence[str]]"

TOKENS: dict[str, Tokens] = {
    "WER": tokenise.words,
    "CER": tokenise.characters,
    "CERns": tokenise.characters_unspaced,
    "gCER": tokenise.clusters,
    "MixER": tokenise.mixed,
    "WERc": tokenise.words,
    "MER": tokenise.words,
    "WIL": tokenise.words,
}
"""Every metric, and what it counts. `WERc` is the WER with compounds written as the reference writes them."""

SEGMENTED = {"segWER": tuple(segment.SEGMENTERS), "kanaCER": ("ja",)}
"""Metrics that take a segmenter, and the languages that they are for: words of languages that write none, and how
Japanese is read. Companions, computed only when asked for."""

METRICS = (*TOKENS, *SEGMENTED)
"""The names of the metrics; `auto` is each locale's own."""

WORD_METRICS = frozenset(
    {"segWER", *(name for name, tokens in TOKENS.items() if tokens is tokenise.words)}
)
"""Metrics whose tokens are words."""

_ALWAYS = ("WER", "CER", "CERns")

ALIGNERS: dict[str, Callable[[Sequence[str], Sequence[str]], tuple[str, EditCounts]]] = {
    "minimal": align.edits,
    "sclite": sclite.edits,
}
"""How tokens are paired: as few errors as can be, or as NIST's sclite does."""


class Score(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All measures of one utterance."""

    profile: str
    """Text profile, as asked for: `norm-1n`."""

    locale: str
    """BCP-47, canonical."""

    metric: str
    """What was counted: the locale's own where `auto` was asked for."""

    counts: EditCounts
    """Tokens of the metric, by what happened to them."""

    companions: dict[str, EditCounts]
    """The counts of WER, CER and CERns under the same profile, and of the metric under `norm-1`."""

    normalised_reference: str
    """The reference as the profile writes it."""

    normalised_hypothesis: str
    """The hypothesis as the profile writes it, its numbers rewritten where the profile allows."""

    aligner: str
    """`minimal`, or `sclite` for NIST's weights and order of ties."""

    operations: str
    """The alignment as runs of `=` equal, `S`, `D`, `I`: `=4S1D2`."""

    @property
    def rate(self) -> float | None:
        """The metric's value; None iff the reference has no token."""
        return rate(self.metric, self.counts)

    @property
    def alignment(self) -> list[align.Step]:
        """The alignment, token by token: `(op, reference or None, hypothesis or None)`."""
        tokens = tokens_of(self.metric, self.locale)
        return align.alignment(
            self.operations,
            tokens(self.normalised_reference),
            tokens(self.normalised_hypothesis),
        )


class Unscored(msgspec.Struct, frozen=True, kw_only=True):
    """Why an utterance has no score."""

    reason: str
    """In words."""


Judgement: TypeAlias = Score | Unscored


def judgement(
    reference: str | None,
    hypothesis: str | None,
    locale: str,
    *,
    profile: str = HEADLINE,
    metric: str = "auto",
    aligner: str = "minimal",
) -> Judgement:
    """Return the score of a transcript, or why there is none; no hypothesis is an empty one: all deletions."""
    if reference is None:
        return Unscored(reason="no reference")
    return score_text(
        reference, hypothesis or "", locale, profile=profile, metric=metric, aligner=aligner
    )


def score_text(
    reference: str,
    hypothesis: str,
    locale: str,
    *,
    profile: str = HEADLINE,
    metric: str = "auto",
    aligner: str = "minimal",
) -> Score:
    """Return the score of a transcript; UsageError names an unknown locale, profile, metric or aligner.

    An empty reference has insertions and no rate.
    """
    if aligner not in ALIGNERS:
        raise UsageError(f"unknown aligner {aligner!r}", hint=f"known are: {', '.join(ALIGNERS)}")
    locale = _code(locale)
    metric = metric_of(locale, metric)
    strict = strict_profile(profile)
    said, heard = normalised(reference, locale, strict), normalised(hypothesis, locale, strict)
    numbers = tolerates_numbers(profile) and (has_digits(said) or has_digits(heard))

    def written(name: str) -> str:
        return _written(said, heard, locale, strict, name, numbers=numbers)

    answer = written(metric)
    operations, counts = _aligned(said, answer, tokens_of(metric, locale), aligner)
    companions = {
        name: counts if name == metric else _counted(said, written(name), TOKENS[name], aligner)
        for name in _ALWAYS
    }
    if strict != "norm-1":
        said_strictly = normalised(reference, locale, "norm-1")
        heard_strictly = normalised(hypothesis, locale, "norm-1")
        companions["norm-1"] = _strictly(said_strictly, heard_strictly, locale, metric, aligner)
    elif numbers:
        companions["norm-1"] = _strictly(said, heard, locale, metric, aligner)
    else:
        companions["norm-1"] = counts
    return Score(
        profile=profile,
        locale=locale,
        metric=metric,
        counts=counts,
        companions=companions,
        normalised_reference=said,
        normalised_hypothesis=answer,
        aligner=aligner,
        operations=operations,
    )


def counts_of(
    references: Iterable[str],
    hypotheses: Iterable[str],
    locale: str,
    *,
    profile: str = HEADLINE,
    metric: str = "auto",
) -> list[EditCounts]:
    """Return the counts of many transcripts of a locale: those of `score_text`, and nothing else, many times sooner.

    UsageError names an unknown locale, profile or metric; ValueError: not as many hypotheses as references.
    """
    locale = _code(locale)
    metric = metric_of(locale, metric)
    strict = strict_profile(profile)
    numbers = tolerates_numbers(profile)
    rewritten = numbers or metric == "WERc"
    count = counter(tokens_of(metric, locale))
    normal = Normaliser(locale, strict)
    found = []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        said, heard = normal[reference], normal[hypothesis]
        if rewritten:
            digits = numbers and (has_digits(said) or has_digits(heard))
            heard = _written(said, heard, locale, strict, metric, numbers=digits)
        found.append(count(said, heard))
    return found


def counter(tokens: Tokens) -> Callable[[str, str], EditCounts]:
    """Return what counts a minimal alignment of two normal texts, cut into `tokens`."""
    if tokens is tokenise.words:
        return align.counted_words
    if tokens is tokenise.characters:
        return align.counted
    return lambda said, heard: align.counted(tokens(said), tokens(heard))


def _written(
    said: str, heard: str, locale: str, profile: str, metric: str, *, numbers: bool
) -> str:
    """Return the hypothesis that the metric sees, of two normal texts; `numbers` may be written another way."""
    if said == heard:
        return heard
    if numbers:
        heard = _with_its_numbers(said, heard, locale, profile, tokens_of(metric, locale))
    if metric == "WERc":
        apart, answer = tokenise.words(said), tokenise.words(heard)
        heard = " ".join(compounded(apart, answer, align.equal_runs(apart, answer)))
    return heard


_LONG = 200
"""Words of either text from which on numbers are looked for piece by piece: an hour's transcript would take minutes else, and
one that counts without end would take days."""

_PIECE, _RUN = 50, 4
"""Words of a piece, at least, and equal words in a row that it is cut in."""

_PIECE_MOST = 200
"""Words of a piece at most, however wrong a transcript is."""

_UNDIVIDED = ("ja", "cmn", "th")
_LETTERS = 3
"""Characters that stand for a word where words are not divided."""


def _with_its_numbers(said: str, heard: str, locale: str, profile: str, tokens: Tokens) -> str:
    """Return a hypothesis with its numbers as the reference writes them, where that lowers its errors."""
    spaced = locale.partition("-")[0] not in _UNDIVIDED
    scale = 1 if spaced else _LETTERS
    reference: Sequence[str] = said.split() if spaced else said
    hypothesis: Sequence[str] = heard.split() if spaced else heard
    if max(len(reference), len(hypothesis)) < _LONG * scale:
        return _alike(said, heard, locale, profile, tokens)
    joint = " " if spaced else ""
    parts = align.pieces(
        reference, hypothesis, size=_PIECE * scale, most=_PIECE_MOST * scale, run=_RUN * scale
    )
    written = joint.join(
        _alike(joint.join(reference[of_it]), joint.join(hypothesis[of_ours]), locale, profile, tokens)
        for of_it, of_ours in parts
    )  # fmt: skip
    whole = tokens(said)
    # Pieces are of an alignment in words; the metric's may be of characters, and cross them.
    nearer = align.distance(whole, tokens(written)) <= align.distance(whole, tokens(heard))
    return written if nearer else heard


def _alike(said: str, heard: str, locale: str, profile: str, tokens: Tokens) -> str:
    reference = tokens(said)
    return tolerant(
        said, heard, locale, profile, lambda text: align.distance(reference, tokens(text))
    )


def _aligned(said: str, heard: str, tokens: Tokens, aligner: str) -> tuple[str, EditCounts]:
    """Return the operations and counts of the alignment of two texts as the metric sees them."""
    if said == heard:
        hits = len(tokens(said))
        return (f"={hits}" if hits else ""), EditCounts(hits=hits)
    return ALIGNERS[aligner](tokens(said), tokens(heard))


def _counted(said: str, heard: str, tokens: Tokens, aligner: str) -> EditCounts:
    """Return the counts of `_aligned`."""
    if aligner == "minimal":
        return counter(tokens)(said, heard)
    return ALIGNERS[aligner](tokens(said), tokens(heard))[1]


def _strictly(said: str, heard: str, locale: str, metric: str, aligner: str) -> EditCounts:
    """Return the counts of two texts under `norm-1`."""
    answer = _written(said, heard, locale, "norm-1", metric, numbers=False)
    return _counted(said, answer, tokens_of(metric, locale), aligner)


def rate(metric: str, counts: EditCounts) -> float | None:
    """Return the value of a metric for counts, or for a sum of counts; None iff the reference is empty."""
    if not counts.reference_tokens:
        return None
    match metric:
        case "MER":
            return counts.match_error_rate
        case "WIL":
            return counts.information_lost
        case _:
            return counts.rate


def metric_of(locale: str, metric: str = "auto") -> str:
    """Return the metric that is meant: the locale's own for `auto`; UsageError when it is unknown."""
    if metric == "auto":
        return LOCALES[_code(locale)].metric
    if metric not in METRICS:
        raise UsageError(
            f"unknown metric {metric!r}",
            hint=suggestion(metric, METRICS) or f"known are: auto, {', '.join(METRICS)}",
        )
    return metric


@cache
def tokens_of(metric: str, locale: str) -> Tokens:
    """Return how a metric cuts a normal text of a locale; UsageError: it is not for that language, or lacks a library."""
    if metric in TOKENS:
        return TOKENS[metric]
    language = locale.partition("-")[0]
    if language not in SEGMENTED[metric]:
        raise UsageError(
            f"metric {metric} is not for {locale}",
            why=f"it is for the languages {', '.join(SEGMENTED[metric])}",
            hint="--metric auto takes each locale's own",
        )
    segment.segments("", language)  # a missing library is told before anything is scored
    if metric == "kanaCER":
        return segment.reading
    return lambda text: segment.segments(text, language)


@lru_cache(maxsize=1024)
def _code(locale: str) -> str:
    return locale if locale in LOCALES else canonical(locale).code


def profile_block(profile: str, *locales: str, metric: str = "auto") -> dict[str, Any]:
    """Return what identifies a text profile in some locales, or in all: `id`, `code_sha256`, `steps`, `versions`.

    Scores may stand in one table only if their ids are equal; so the id says which library was absent. It names the
    locale, and the steps are listed, where there is just one.
    """
    codes = [_code(locale) for locale in locales] or list(LOCALES)
    only = codes[0] if len(codes) == 1 else None
    missing: list[str] = []
    libraries = [LIBRARIES[profile][0]] if profile in LIBRARIES else []
    if metric in SEGMENTED:
        spoken = {code.partition("-")[0] for code in codes}
        libraries += [
            package
            for language in SEGMENTED[metric]
            if language in spoken
            for package in segment.SEGMENTERS[language]
        ]
    if tolerates_numbers(profile):
        libraries += sorted({package for code in codes if (package := library(code))})
        missing = sorted({package for code in codes if (package := missing_library(code))})
    without = "".join(f"-without-{package}" for package in missing)
    place = f"/{only}" if only else ""
    return {
        "id": f"glt-{profile}{without}{place}",
        "code_sha256": _code_hash(),
        "steps": list(steps(only, profile)) if only else [],
        "versions": {
            "python": platform.python_version(),
            "unicode": unicodedata.unidata_version,
            "unicode_clusters": tokenise.clusters_unicode(),
            **{
                package: _version(package)
                for package in ("regex", "rapidfuzz", "jiwer", *libraries)
            },
        },
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


_CODE = {
    "harness.text": (
        "normalise.py", "scripts.py", "t2s.txt", "tokenise.py", "segment.py", "numbers.py", "numerals.py",
        "compounds.py", "compat.py", "mms.py",
    ),
    "harness.score": ("align.py", "edits.py", "score.py", "sclite.py"),
}  # fmt: skip
"""The files whose change may change a score."""


@cache
def _code_hash() -> str:
    digest = sha256()
    for room, names in _CODE.items():
        for name in names:
            digest.update(files(room).joinpath(name).read_bytes())
    return digest.hexdigest()


def total(counts: Iterable[EditCounts]) -> EditCounts:
    """Return the sum of counts."""
    hits = substitutions = deletions = insertions = 0
    for one in counts:
        hits += one.hits
        substitutions += one.substitutions
        deletions += one.deletions
        insertions += one.insertions
    return EditCounts(
        hits=hits, substitutions=substitutions, deletions=deletions, insertions=insertions
    )
