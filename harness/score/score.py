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
from harness.text import tokenise
from harness.text.compat import LIBRARIES
from harness.text.compounds import compounded
from harness.text.locales import LOCALES, canonical
from harness.text.normalise import HEADLINE, normalised, steps, strict_profile, tolerates_numbers
from harness.text.numbers import has_digits, tolerant
from harness.text.numerals import library, missing_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

TOKENS: dict[str, Callable[[str], Sequence[str]]] = {
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

METRICS = tuple(TOKENS)
"""The names of the metrics; `auto` is each locale's own."""

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
        tokens = TOKENS[self.metric]
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
    texts = _Pair(
        reference=said,
        hypothesis=heard,
        locale=locale,
        profile=strict,
        numbers=numbers,
        aligner=aligner,
    )
    heard, operations, counts = texts.aligned(metric)
    companions = {name: counts if name == metric else texts.aligned(name)[2] for name in _ALWAYS}
    companions["norm-1"] = (
        counts
        if strict == "norm-1" and not numbers
        else _strict_counts(reference, hypothesis, locale, metric, aligner)
    )
    return Score(
        profile=profile,
        locale=locale,
        metric=metric,
        counts=counts,
        companions=companions,
        normalised_reference=texts.reference,
        normalised_hypothesis=heard,
        aligner=aligner,
        operations=operations,
    )


class _Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two normalised texts, and whether numbers may be written another way."""

    reference: str
    hypothesis: str
    locale: str
    profile: str
    numbers: bool
    """True: there are some, and they may be written another way."""

    aligner: str

    def aligned(self, metric: str) -> tuple[str, str, EditCounts]:
        """Return the hypothesis that the metric sees, and the operations and counts of its alignment."""
        tokens = TOKENS[metric]
        said = tokens(self.reference)
        heard = self.hypothesis
        if self.numbers:
            heard = tolerant(
                self.reference,
                heard,
                self.locale,
                self.profile,
                lambda text: align.distance(said, tokens(text)),
            )
        if metric == "WERc":
            apart, answer = tokenise.words(self.reference), tokenise.words(heard)
            heard = " ".join(compounded(apart, answer, align.equal_runs(apart, answer)))
        return heard, *ALIGNERS[self.aligner](said, tokens(heard))


def _strict_counts(
    reference: str, hypothesis: str, locale: str, metric: str, aligner: str
) -> EditCounts:
    texts = _Pair(
        reference=normalised(reference, locale, "norm-1"),
        hypothesis=normalised(hypothesis, locale, "norm-1"),
        locale=locale,
        profile="norm-1",
        numbers=False,
        aligner=aligner,
    )
    return texts.aligned(metric)[2]


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
    if metric not in TOKENS:
        raise UsageError(
            f"unknown metric {metric!r}",
            hint=suggestion(metric, TOKENS) or f"known are: auto, {', '.join(TOKENS)}",
        )
    return metric


@lru_cache(maxsize=1024)
def _code(locale: str) -> str:
    return locale if locale in LOCALES else canonical(locale).code


def profile_block(profile: str, *locales: str) -> dict[str, Any]:
    """Return what identifies a text profile in some locales, or in all: `id`, `code_sha256`, `steps`, `versions`.

    Scores may stand in one table only if their ids are equal; so the id says which library was absent. It names the
    locale, and the steps are listed, where there is just one.
    """
    codes = [_code(locale) for locale in locales] or list(LOCALES)
    only = codes[0] if len(codes) == 1 else None
    missing: list[str] = []
    libraries = [LIBRARIES[profile][0]] if profile in LIBRARIES else []
    if tolerates_numbers(profile):
        libraries = sorted({package for code in codes if (package := library(code))})
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
        "normalise.py", "scripts.py", "t2s.txt", "tokenise.py", "numbers.py", "numerals.py", "compounds.py", "compat.py",
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
    return sum(counts, EditCounts.zero())
