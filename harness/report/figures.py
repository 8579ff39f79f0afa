"""The page's plots: which of a summary's numbers are drawn, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report.plot import (
    SERIES,
    Axis,
    Plot,
    key,
    percent_axis,
    plain_axis,
    seconds_axis,
)
from harness.report.spread import SHARES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from harness.report.document import Latency, Spread, Summary

_LEVELS = (0.5, 0.95)

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


def _left_out(summary: Summary) -> str:
    more = len(summary.standings) - SERIES
    return f"{more} more in the table." if more > 0 else ""


# ── Latency ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _latency(summary: Summary, names: dict[tuple[str, str], str]) -> Figure | None:
    own = {
        (one.dataset, one.model): one
        for one in summary.latencies
        if one.locale is None and (one.dataset, one.model) in names
    }
    panels = []
    for title, spreads in (
        ("First text, after the onset of speech", {k: own[k].first_text for k in names if k in own}),
        ("Final text, after the end of speech", {k: own[k].final_text for k in names if k in own}),
    ):  # fmt: skip
        drawn = [(number, spreads.get(name)) for number, name in enumerate(names)]
        known = [(number, one) for number, one in drawn if one]
        if known:
            panels.append(Panel(title=title, svg=_curves(title, known)))
    if not panels:
        return None
    legend = [(key(number), name) for number, name in enumerate(names.values())]
    return Figure(panels=panels, legend=legend, note=_left_out(summary))


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
    """Return a small plot for each dataset × locale: final text, and first text dashed, of every model."""
    models = {model: number for number, model in enumerate(summary.models[: SERIES // 2])}
    groups: dict[tuple[str, str], list[Latency]] = {}
    for one in summary.latencies:
        enough = one.final_text and one.final_text.n >= _FEWEST
        if one.locale is not None and one.model in models and enough:
            groups.setdefault((one.dataset, one.locale), []).append(one)
    if not groups:
        return None
    values = [
        value
        for group in groups.values()
        for one in group
        for spread in (one.first_text, one.final_text)
        if spread
        for value in (spread.quantiles[0], spread.quantiles[-1])
    ]
    x = seconds_axis(values, "", least=0.05)
    x = Axis(low=x.low, high=x.high, ticks=[x.ticks[0], x.ticks[-1]], log=True)
    y = Axis(low=0.0, high=1.0, ticks=[(0.5, "50 %")])
    many = len(summary.datasets) > 1
    panels = []
    for (dataset, locale), group in sorted(groups.items()):
        plot = Plot(x, y, width=190, height=110, left=34)
        said = []
        for one in group:
            number = models[one.model]
            for spread, kind in ((one.first_text, "line first"), (one.final_text, "line")):
                if spread:
                    points = list(zip(spread.quantiles[::2], SHARES[::2], strict=True))
                    plot.line(points, number, kind=kind)
            if one.final_text and (middle := one.final_text.p50.value) is not None:
                plot.mark((middle, 0.5), number)
                said.append(f"{one.model} final text median {middle:.2f} s")
        title = f"{locale} · {dataset}" if many else locale
        panels.append(
            Panel(title=title, svg=plot.svg(f"Latency in {locale} on {dataset}: {'; '.join(said)}"))
        )
    legend = [(key(number), model) for model, number in models.items()] if len(models) > 1 else []
    return Figure(
        panels=panels,
        legend=legend,
        note="Solid: final text after the end of speech; dotted: first text after its onset. "
        f"Locales with at least {_FEWEST} sessions.",
    )


# ── Errors against latency, and by length ────────────────────────────────────────────────────────────────────────────


def _trade(summary: Summary, names: dict[tuple[str, str], str]) -> Figure | None:
    """Return error against latency: models with the front nobody beats on both, or one model's locales."""
    known = [
        (names[one.dataset, one.model], one, one.final_text_p50_s, one.macro_cerns)
        for one in summary.standings
        if (one.dataset, one.model) in names
    ]
    rated = [
        (name, one, t, rate)
        for name, one, t, rate in known
        if t is not None and rate is not None
    ]  # fmt: skip
    if len(summary.models) < 2:
        return _trade_of_locales(summary)
    if len(rated) < 2:
        return None
    x = seconds_axis([t for _, _, t, _ in rated], "final text, median", least=0.05)
    y = percent_axis([one.macro_cerns_high or rate for _, one, _, rate in rated], "macro CERns")
    panels = []
    places = {name: number for number, name in enumerate(names.values())}
    for dataset in summary.datasets:
        own = [item for item in rated if item[1].dataset == dataset.name]
        if not own:
            continue
        plot = Plot(x, y)
        best = front([(t, rate) for _, _, t, rate in own])
        plot.stair([(best[0][0], y.high), *best, (x.high, best[-1][1])], 0)
        for name, one, t, rate in own:
            if one.macro_cerns_low is not None and one.macro_cerns_high is not None:
                plot.whisker(t, one.macro_cerns_low, one.macro_cerns_high, places[name])
            plot.mark((t, rate), places[name], name=one.model)
        said = "; ".join(f"{one.model} {t:.2f} s, {rate:.1%}" for _, one, t, rate in own)
        panels.append(
            Panel(
                title=f"{dataset.name}: macro CERns against final text",
                svg=plot.svg(f"Error against latency on {dataset.name}: {said}."),
            )
        )
    return Figure(
        panels=panels,
        note="Lower left is better. Nothing lies below and left of the dashed line (Pareto front).",
    )


def _trade_of_locales(summary: Summary) -> Figure | None:
    shown = [
        (cell, t, rate)
        for cell in summary.cells
        if (t := cell.final_text_p50_s) is not None and (rate := cell.rate) is not None
    ]
    if len(shown) < 2:
        return None
    x = seconds_axis([t for _, t, _ in shown], "final text, median", least=0.05)
    panels = []
    for number, dataset in enumerate(summary.datasets[:SERIES]):
        own = [item for item in shown if item[0].dataset == dataset.name]
        if not own:
            continue
        y = percent_axis([min(rate, 1.0) for _, _, rate in own], "")
        plot = Plot(x, y)
        for cell, t, rate in own:
            plot.mark((t, rate), number, name=cell.locale)
        said = "; ".join(f"{cell.locale} {t:.2f} s, {rate:.1%}" for cell, t, rate in own)
        panels.append(
            Panel(
                title=f"{dataset.name}: error rate of each locale, by its own metric, against final text",
                svg=plot.svg(f"Error against latency on {dataset.name}, by locale: {said}."),
            )
        )
    return Figure(panels=panels, note="Lower left is better.")


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other beats on both values, from the least first value on."""
    found: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if not found or point[1] < found[-1][1]:
            found.append(point)
    return found


def _duration(summary: Summary, names: dict[tuple[str, str], str]) -> Figure | None:
    own = [one for one in summary.buckets if (one.dataset, one.model) in names]
    starts = sorted({one.from_s for one in own})
    if len(starts) < 2:
        return None
    ends = {one.from_s: one.to_s for one in own}
    places = {start: place for place, start in enumerate(starts)}
    x = Axis(
        low=-0.5,
        high=len(starts) - 0.5,
        ticks=[(place, _length(start, ends[start])) for start, place in places.items()],
        label="length of the clip",
    )
    panels = []
    for metric in dict.fromkeys(one.metric for one in own):
        shown = [one for one in own if one.metric == metric]
        y = percent_axis([min(one.rate, 1.5) for one in shown if one.rate is not None], metric)
        plot = Plot(x, y)
        for number, name in enumerate(names):
            points = [
                (float(places[one.from_s]), one.rate)
                for one in shown
                if (one.dataset, one.model) == name and one.rate is not None
            ]
            if points:
                plot.line(points, number)
                for point in points:
                    plot.mark(point, number)
        panels.append(
            Panel(
                title=f"{metric} by length of the clip, mean over locales",
                svg=plot.svg(
                    f"{metric} by length of the clip; the figures are in the table below."
                ),
            )
        )
    legend = [(key(number), name) for number, name in enumerate(names.values())]
    return Figure(panels=panels, legend=legend, note=_left_out(summary))


def _settling(summary: Summary, names: dict[tuple[str, str], str]) -> Figure | None:
    own = [one for one in summary.settling if (one.dataset, one.model) in names]
    if not own:
        return None
    afters = list(dict.fromkeys(one.after_s for one in own))
    places = {after: place for place, after in enumerate(afters)}
    x = Axis(
        low=-0.3,
        high=len(afters) - 0.7,
        ticks=[(place, "final" if after is None else f"{after:g} s") for after, place in places.items()],
        label="after the end of speech",
    )  # fmt: skip
    panels = []
    for metric in dict.fromkeys(one.metric for one in own):
        shown = [one for one in own if one.metric == metric]
        y = percent_axis([one.rate for one in shown if one.rate is not None], "")
        plot = Plot(x, y)
        for number, name in enumerate(names):
            points = [
                (float(places[one.after_s]), one.rate)
                for one in shown
                if (one.dataset, one.model) == name and one.rate is not None
            ]
            if points:
                plot.line(points, number)
                for point in points:
                    plot.mark(point, number)
        title = f"{metric} of what was on the screen, mean over locales"
        panels.append(
            Panel(title=title, svg=plot.svg(f"{title}; the figures are in the table below."))
        )
    legend = [(key(number), name) for number, name in enumerate(names.values())]
    return Figure(panels=panels, legend=legend, note=_left_out(summary))


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
