"""How a transcript grew: what was on the screen when, what was taken back, how far behind the speech it ran.

Times are seconds from the due time of the clip's first sample, and audio is paced at real time. A service that only
appends takes nothing back, so any erasure there means that fragments were put together wrongly.

Knows fragments and texts; does not know audio: where a word ends in it is given, or approximated by its characters.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import msgspec

from harness.score.score import tokens_of
from harness.text.normalise import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.score.score import Score
    from harness.trace.hypothesis import Fragment
    from harness.units import Seconds

DELTAS_S: tuple[Seconds, ...] = (0.0, 0.5, 1.0, 2.0, 5.0)
"""How long after the end of speech the screen is judged."""


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader saw from `t` on."""

    t: Seconds
    text: str


class Lagging(msgspec.Struct, frozen=True, kw_only=True):
    """How far tokens run behind a source that is heard evenly (SimulEval, latency_scorer.py)."""

    al_s: Seconds
    """Average lagging (Ma et al. 2019). It ignores every token after the first one that comes when the source is over."""

    laal_s: Seconds
    """Length-adaptive average lagging (Papi et al. 2022): no credit for saying more than was said."""

    dal_s: Seconds
    """Differentiable average lagging (Cherry & Foster 2019): sees late tails too."""

    ap: float
    """Average proportion of the source that was heard (Cho & Esipova 2016); over 1 when text comes after it."""


def screens(fragments: Iterable[Fragment]) -> list[Screen]:
    """Return every change of the text, in order: final fragments are appended, interim ones stand until the next."""
    shown: list[Screen] = []
    settled, interim = "", ""
    for fragment in fragments:
        if fragment.interim:
            interim = fragment.text
        else:
            settled, interim = settled + fragment.text, ""
        text = (settled + interim).strip()
        if text != (shown[-1].text if shown else ""):
            shown.append(Screen(t=fragment.t, text=text))
    return shown


def text_at(shown: Sequence[Screen], t: Seconds) -> str:
    """Return what was on the screen at `t`; empty before the first text."""
    return next((screen.text for screen in reversed(shown) if screen.t <= t), "")


def erasure(shown: Sequence[Screen]) -> float | None:
    """Return the characters taken back over those of the final text (Arivazhagan et al. 2020); None: no final text."""
    if not shown or not shown[-1].text:
        return None
    return sum(_taken_back(shown)) / len(shown[-1].text)


def revisions(shown: Sequence[Screen]) -> int:
    """Return how often something on the screen was taken back."""
    return sum(count > 0 for count in _taken_back(shown))


def _taken_back(shown: Sequence[Screen]) -> list[int]:
    return [
        len(before.text) - _common(before.text, after.text) for before, after in pairwise(shown)
    ]


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many tokens two sequences begin with in common."""
    length = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        length += 1
    return length


def token_times(shown: Sequence[Screen], locale: str, metric: str) -> list[Seconds]:
    """Return when each token of the final text, normalised under `norm-1`, had come to stay."""
    tokens = tokens_of(metric, locale)
    seen = [tokens(normalised(screen.text, locale, "norm-1")) for screen in shown]
    times: list[Seconds] = []
    # A token stays from the first screen after which every screen begins with all tokens up to it.
    staying = len(seen[-1]) if seen else 0
    standing = [0] * len(seen)
    for number in range(len(seen) - 1, -1, -1):
        staying = min(staying, _common(seen[number], seen[-1]))
        standing[number] = staying
    for screen, count in zip(shown, standing, strict=True):
        times += [screen.t] * (count - len(times))
    return times


def emission_delays(
    score: Score, shown: Sequence[Screen], *, onset_s: Seconds, end_s: Seconds
) -> list[Seconds]:
    """Return for every token that is right how long after its end in the audio it came to stay.

    Where a token ends is approximated by the characters up to it, spread evenly between onset and end of speech. The
    score is one of the final text under `norm-1`; else, or where texts do not fit, nothing is returned.
    """
    times = iter(token_times(shown, score.locale, score.metric))
    said = tokens_of(score.metric, score.locale)(score.normalised_reference)
    lengths = list(accumulate(len(token) for token in said))
    if not lengths or score.profile != "norm-1":
        return []
    ends = iter(onset_s + (end_s - onset_s) * length / lengths[-1] for length in lengths)
    delays: list[Seconds] = []
    for op, *_ in score.alignment:
        end = None if op == "I" else next(ends)
        t = None if op == "D" else next(times, None)
        if op == "=" and end is not None and t is not None:
            delays.append(t - end)
    return delays


def lagging(
    delays_s: Sequence[Seconds], source_s: Seconds, reference_tokens: int
) -> Lagging | None:
    """Return how far tokens that came at `delays_s` ran behind `source_s` of audio; None without token or audio."""
    if not delays_s or source_s <= 0 or not reference_tokens:
        return None
    return Lagging(
        al_s=_average_lagging(delays_s, source_s, reference_tokens),
        laal_s=_average_lagging(delays_s, source_s, max(reference_tokens, len(delays_s))),
        dal_s=_differentiable_lagging(delays_s, source_s),
        ap=sum(delays_s) / (source_s * reference_tokens),
    )


def _average_lagging(delays_s: Sequence[Seconds], source_s: Seconds, tokens: int) -> Seconds:
    if delays_s[0] > source_s:
        return delays_s[0]
    lag, counted = 0.0, 0
    for number, delay in enumerate(delays_s):
        lag += delay - number * source_s / tokens
        counted = number + 1
        if delay >= source_s:
            break
    return lag / counted


def _differentiable_lagging(delays_s: Sequence[Seconds], source_s: Seconds) -> Seconds:
    step = source_s / len(delays_s)
    lag, spoken = 0.0, 0.0
    for number, delay in enumerate(delays_s):
        spoken = delay if not number else max(delay, spoken + step)
        lag += spoken - number * step
    return lag / len(delays_s)
