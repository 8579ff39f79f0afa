"""The page's plots: which of a summary's numbers are drawn, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report.page.plot import (
    SERIES,
    Axis,
    Plot,
    key,
    percent_axis,
    plain_axis,
    seconds_axis,
)
from harness.report.summary.delays import AWAITED
from harness.report.summary.spread import SHARES
from harness.units import count_text, percent_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from harness.report.page.plot import Point
    from harness.report.summary.document import Standing, Summary
    from harness.report.summary.latencies import Latency, Spread
    from harness.units import Seconds

_LEVELS = (0.5, 0.95)

_TOP = 1.0
"""Rate at which error against latency of locales ends: a few that are all insertions would press the others flat."""

_FEWEST = 5
"""Sessions of a locale from which on its distribution is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot with its heading."""

    title: str
    svg: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Plots that share a legend."""

    panels: Sequence[Panel]
    legend: Sequence[tuple[Markup, str]] = ()
    """Sign and name of each series."""

    note: str = ""
    """What a reader must know of it, in words."""


def figures(summary: Summary) -> dict[str, Any]:
    """Return the page's figures by name; None where there is nothing to show."""
    names = _names(summary)
    return {
        "latency": _latency(summary, names),
        "locales": _by_locale(summary),
        "trade": _trade(summary, names),
        "duration": _duration(summary, names),
        "settling": _settling(summary, names),
        "certificate": _certificate(summary),
    }


def _names(summary: Summary) -> dict[tuple[str, str], str]:
    """Return what each dataset × model is called, in order of standing: no more than can be told apart."""
    both = len(summary.datasets) > 1
    one_model = len(summary.models) == 1
    return {
        (one.dataset, one.model): one.dataset
        if both and one_model
        else f"{one.model} on {one.dataset}"
        if both
        else one.model
        for one in summary.standings[:SERIES]
    }


def _legend(names: dict[tuple[str, str], str]) -> list[tuple[Markup, str]]:
    return [(key(number), name) for number, name in enumerate(names.values())]


def _left_out(summary: Summary) -> str:
    more = len(summary.standings) - SERIES
    return f"{more} more in the table." if more > 0 else ""


# ── Latency ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _latency(summary: Summary, names: dict[tuple[str, str], str]) -> Figure | None:
    own = {(one.dataset, one.model): one for one in summary.latencies if one.locale is None}
    panels = []
    for awaited in AWAITED[summary.task]:
        drawn = [
            (number, spread)
            for number, name in enumerate(names)
            if name in own and (spread := getattr(own[name], awaited.name)) is not None
        ]
        if drawn:
            title = f"{awaited.words.capitalize()}, {awaited.after}"
            panels.append(Panel(title=title, svg=_curves(title, drawn)))
    if not panels:
        return None
    return Figure(panels=panels, legend=_legend(names), note=_left_out(summary))


def _curves(title: str, spreads: Sequence[tuple[int, Spread]]) -> Markup:
    values = [value for _, spread in spreads for value in spread.quantiles]
    x = seconds_axis(values, title.split(",", maxsplit=1)[0].lower() + " within")
    y = Axis(
        low=0.0,
        high=1.0,
        ticks=[(share, f"{100 * share:g} %") for share in (0, 0.25, 0.5, 0.75, 1)],
    )
    plot = Plot(x, y)
    for share in _LEVELS[1:]:
        plot.level(share, f"{100 * share:g} %")
    for number, spread in spreads:
        plot.line(list(zip(spread.quantiles, SHARES, strict=True)), number)
        for share, percentile in zip(_LEVELS, (spread.p50, spread.p95), strict=True):
            if percentile.value is not None:
                plot.mark((percentile.value, share), number)
    said = "; ".join(_told(spread) for _, spread in spreads)
    return plot.svg(f"{title}: share of sessions by time. {said}.")


def _told(spread: Spread) -> str:
    """Return a distribution in words: its median, and its 95th percentile where there are enough sessions for one."""
    ends = (("median", spread.p50), ("95 % within", spread.p95))
    return ", ".join(f"{name} {end.value:.2f} s" for name, end in ends if end.value is not None)


def _by_locale(summary: Summary) -> Figure | None:
    """Return a small plot for each dataset × locale and every model: what is awaited first of all, all else dotted."""
    headline, *others = AWAITED[summary.task]
    models = {model: number for number, model in enumerate(summary.models[: SERIES // 2])}
    groups: dict[tuple[str, str], list[Latency]] = {}
    for one in summary.latencies:
        spread = getattr(one, headline.name)
        enough = spread is not None and spread.n >= _FEWEST
        if one.locale is not None and one.model in models and enough:
            groups.setdefault((one.dataset, one.locale), []).append(one)
    if not groups:
        return None
    spreads = [
        spread
        for group in groups.values()
        for one in group
        for awaited in (headline, *others)
        if (spread := getattr(one, awaited.name)) is not None
    ]
    x = seconds_axis(
        [value for spread in spreads for value in (spread.quantiles[0], spread.quantiles[-1])],
        "",
        least=0.05,
    )
    x = Axis(low=x.low, high=x.high, ticks=[x.ticks[0], x.ticks[-1]], log=True)
    y = Axis(low=0.0, high=1.0, ticks=[(0.5, "50 %")])
    many = len(summary.datasets) > 1
    panels = []
    for (dataset, locale), group in groups.items():
        plot = Plot(x, y, width=190, height=110, left=34)
        said = []
        for one in group:
            number = models[one.model]
            for awaited in (*others, headline):
                if (spread := getattr(one, awaited.name)) is not None:
                    points = list(zip(spread.quantiles[::2], SHARES[::2], strict=True))
                    kind = "line" if awaited is headline else "line dotted"
                    plot.line(points, number, kind=kind)
            if (middle := getattr(one, headline.name).p50.value) is not None:
                plot.mark((middle, 0.5), number)
                said.append(f"{one.model} {headline.words} median {middle:.2f} s")
        title = f"{locale} · {dataset}" if many else locale
        panels.append(
            Panel(title=title, svg=plot.svg(f"Latency in {locale} on {dataset}: {'; '.join(said)}"))
        )
    told = [f"Solid: {headline.words} {headline.after}"]
    told += [f"dotted: {awaited.words} {awaited.after}" for awaited in others]
    return Figure(
        panels=panels,
        legend=[(key(number), model) for model, number in models.items()]
        if len(models) > 1
        else [],
        note=f"{'; '.join(told)}. Locales with at least {_FEWEST} sessions.",
    )


# ── Errors against latency, and by length ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traded:
    """A point of error against latency."""

    dataset: str
    model: str
    name: str
    t: Seconds
    rate: float
    low: float | None = None
    high: float | None = None


def _trade(summary: Summary, names: dict[tuple[str, str], str]) -> Figure | None:
    """Return error against latency: models with the front nobody beats on both, or one model's locales."""
    if len(summary.models) < 2:
        return _trade_of_locales(summary)
    awaited = AWAITED[summary.task][0]
    shown = [
        _Traded(dataset=one.dataset, model=one.model, name=one.model, t=t, rate=rate, low=low, high=high)
        for one in summary.standings
        if (one.dataset, one.model) in names
        and (t := getattr(one, f"{awaited.name}_p50_s")) is not None
        and (rates := _standing_rates(one)) is not None
        for rate, low, high in (rates,)
    ]  # fmt: skip
    if len(shown) < 2:
        return None
    what = "answers that did not pass" if summary.task == "ask" else "macro CERns"
    x = seconds_axis([one.t for one in shown], f"{awaited.words}, median", least=0.05)
    y = percent_axis([one.high or one.rate for one in shown], what)
    places = {name: number for number, name in enumerate(names)}
    panels = []
    for dataset in summary.datasets:
        own = [one for one in shown if one.dataset == dataset.name]
        if not own:
            continue
        plot = Plot(x, y)
        best = front([(one.t, one.rate) for one in own])
        plot.stair([(best[0][0], y.high), *best, (x.high, best[-1][1])], 0)
        for one in own:
            number = places[one.dataset, one.model]
            if one.low is not None and one.high is not None:
                plot.whisker(one.t, one.low, one.high, number)
            plot.mark((one.t, one.rate), number, name=one.name)
        title = f"{dataset.name}: {what} against {awaited.words}"
        panels.append(Panel(title=title, svg=plot.svg(f"{title}: {_listed(own)}.")))
    return Figure(
        panels=panels,
        note="Lower left is better. Nothing lies below and left of the dashed line (Pareto front).",
    )


def _standing_rates(one: Standing) -> tuple[float, float | None, float | None] | None:
    """Return a model's share of errors, or of answers that did not pass, with its interval; None: it has none."""
    if one.passed is not None:
        return 1 - one.passed.share, 1 - one.passed.high, 1 - one.passed.low
    if one.macro_cerns is None:
        return None
    return one.macro_cerns, one.macro_cerns_low, one.macro_cerns_high


def _trade_of_locales(summary: Summary) -> Figure | None:
    awaited = AWAITED[summary.task][0]
    asked = summary.task == "ask"
    shown = [
        _Traded(dataset=cell.dataset, model=cell.model, name=cell.locale, t=t, rate=1 - rate if asked else rate)
        for cell in summary.cells
        if (t := getattr(cell, f"{awaited.name}_p50_s")) is not None
        and (rate := cell.pass_rate if asked else cell.rate) is not None
    ]  # fmt: skip
    if len(shown) < 2:
        return None
    what = "answers that did not pass" if asked else "error rate by the locale's own metric"
    x = seconds_axis([one.t for one in shown], f"{awaited.words}, median", least=0.05)
    panels = []
    for number, dataset in enumerate(summary.datasets[:SERIES]):
        own = [one for one in shown if one.dataset == dataset.name]
        if not own:
            continue
        plot = Plot(x, percent_axis([min(one.rate, _TOP) for one in own], ""))
        for one in own:
            name = f"{one.name} ↑ {percent_text(one.rate)}" if one.rate > _TOP else one.name
            plot.mark((one.t, one.rate), number, name=name)
        title = f"{dataset.name}: {what} against {awaited.words}"
        panels.append(Panel(title=title, svg=plot.svg(f"{title}: {_listed(own)}.")))
    note = "Lower left is better."
    if above := sum(one.rate > _TOP for one in shown):
        note += (
            f" Drawn at the top edge, under an arrow: {count_text(above, 'locale')} above 100 %."
        )
    return Figure(panels=panels, note=note)


def _listed(points: Sequence[_Traded]) -> str:
    return "; ".join(f"{one.name} {one.t:.2f} s, {one.rate:.1%}" for one in points)


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other beats on both values, from the least first value on."""
    found: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if not found or point[1] < found[-1][1]:
            found.append(point)
    return found


def _duration(summary: Summary, names: dict[tuple[str, str], str]) -> Figure | None:
    own = [one for one in summary.buckets if (one.dataset, one.model) in names]
    starts = {one.from_s: one.to_s for one in sorted(own, key=lambda one: one.from_s)}
    if len(starts) < 2:
        return None
    x = _steps([_length(start, end) for start, end in starts.items()], "length of the clip")
    places = {start: float(place) for place, start in enumerate(starts)}
    panels = []
    for metric in dict.fromkeys(one.metric for one in own):
        rated = [one for one in own if one.metric == metric and one.rate is not None]
        lines = {
            name: [
                (places[one.from_s], one.rate)
                for one in rated
                if (one.dataset, one.model) == name and one.rate is not None
            ]
            for name in names
        }
        title = f"{metric} by length of the clip, mean over locales"
        panels.append(_rates(title, x, lines, label=metric))
    return Figure(panels=panels, legend=_legend(names), note=_left_out(summary))


def _settling(summary: Summary, names: dict[tuple[str, str], str]) -> Figure | None:
    own = [one for one in summary.settling if (one.dataset, one.model) in names]
    if not own:
        return None
    afters = list(dict.fromkeys(one.after_s for one in own))
    ticks = ["final" if after is None else f"{after:g} s" for after in afters]
    x = _steps(ticks, "after the end of speech")
    places = {after: float(place) for place, after in enumerate(afters)}
    panels = []
    for metric in dict.fromkeys(one.metric for one in own):
        lines = {
            name: [
                (places[one.after_s], one.rate)
                for one in own
                if (one.dataset, one.model, one.metric) == (*name, metric) and one.rate is not None
            ]
            for name in names
        }
        title = f"{metric} of what was on the screen, mean over locales"
        panels.append(_rates(title, x, lines))
    return Figure(panels=panels, legend=_legend(names), note=_left_out(summary))


def _steps(ticks: Sequence[str], label: str) -> Axis:
    """Return an axis of steps, each as wide as the next."""
    return Axis(low=-0.4, high=len(ticks) - 0.6, ticks=list(enumerate(ticks)), label=label)


_MOST_RATE = 1.5
"""Where the axis of error rates ends: few who loop would press all others flat."""


def _rates(
    title: str, x: Axis, lines: Mapping[tuple[str, str], Sequence[Point]], *, label: str = ""
) -> Panel:
    """Return error rates over steps, a line with marks for each series."""
    most = [min(rate, _MOST_RATE) for points in lines.values() for _, rate in points]
    plot = Plot(x, percent_axis(most, label))
    for number, points in enumerate(lines.values()):
        if points:
            plot.line(points, number)
            for point in points:
                plot.mark(point, number)
    return Panel(title=title, svg=plot.svg(f"{title}; the figures are in the table below."))


def _certificate(summary: Summary) -> Figure | None:
    """Return how many sessions were open and how late the loop was, over time, of every streaming process."""
    own = [one for one in summary.certificate.processes if one.samples][:SERIES]
    if not own:
        return None
    x = plain_axis([one.samples[-1].t for one in own], "seconds from the beginning of the process")
    panels = []
    for title, values in (
        ("Sessions open", [[float(at.open) for at in one.samples] for one in own]),
        ("Loop late, the worst of each stretch, ms", [[at.lag_max_ms for at in one.samples] for one in own]),
    ):  # fmt: skip
        plot = Plot(x, plain_axis([value for line in values for value in line], ""))
        for number, (one, line) in enumerate(zip(own, values, strict=True)):
            plot.line([(at.t, value) for at, value in zip(one.samples, line, strict=True)], number)
        worst = max(max(line) for line in values)
        panels.append(
            Panel(title=title, svg=plot.svg(f"{title}, over time; the most is {worst:g}."))
        )
    legend = [
        (key(number), f"process {one.process}, {one.started_at[11:19]}")
        for number, one in enumerate(own)
    ]
    return Figure(panels=panels, legend=legend)


def _length(start: float, end: float | None) -> str:
    return f"{start:g} s +" if end is None else f"{start:g}–{end:g} s"
