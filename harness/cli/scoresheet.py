"""What `harness score` prints for people: cells as a table, means over locales, and drawn alignments.

Knows the document that --json prints; does not know how it was made.
"""

from __future__ import annotations

from typing import Any

from harness.text.visible import visible


def table(document: dict[str, Any]) -> str:
    """Return the cells as a table for people: a rate with its interval, and what it is made of."""
    named = {name: {cell[name] for cell in document["cells"]} for name in ("dataset", "model")}
    # What is the same in all rows stands above them.
    above = [visible(*one) for one in (named["model"], named["dataset"]) if len(one) == 1]
    by = [
        name for name in ("dataset", "locale", "model") if name == "locale" or len(named[name]) > 1
    ]
    rows: list[list[str]] = [
        [*by, "metric", "rate", "95 %", "norm-1", "S", "D", "I", "tokens", "scored"]
    ]
    rows += [
        [
            *(visible(cell[name]) or "-" for name in by),
            cell["metric"] or "-",
            _percent(cell["rate"]),
            _interval(cell),
            _percent(cell["rate_norm1"]),
            *(
                f"{cell[name]:,}"
                for name in ("substitutions", "deletions", "insertions", "reference_tokens")
            ),
            f"{cell['scored']:,}/{cell['utterances']:,}",
        ]
        for cell in document["cells"]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" on ".join(filter(None, above))] if any(above) else []
    lines += [
        "  ".join(
            cell.rjust(width) if place > len(by) else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines += ["", *_means(document)]
    profile = document["profile"]
    lines.append(f"profile {profile['id']}, code {profile['code_sha256'][:12]}")
    if tools := _tools({cell["metric"] for cell in document["cells"]}, profile["versions"]):
        lines.append(f"cut by {', '.join(tools)}")
    return "\n".join(lines)


def drawings(rows: list[dict[str, Any]], most: int) -> str:
    """Return the alignments of the rows with the most errors, the worst first; rows without any are none of them."""
    from shutil import get_terminal_size

    from harness.score.drawing import drawing

    def errors(row: dict[str, Any]) -> int:
        return sum(row[name] or 0 for name in ("substitutions", "deletions", "insertions"))

    width = get_terminal_size((100, 24)).columns
    drawn = ""
    for row in sorted(filter(errors, rows), key=errors, reverse=True)[:most]:
        steps = [
            (op, *(token if token is None else visible(token) for token in pair))
            for op, *pair in row["alignment"]
        ]
        who = ", ".join(visible(row[name]) for name in ("id", "locale", "model") if row[name])
        rate = "no rate" if row["rate"] is None else f"{row['metric']} {_percent(row['rate'])}"
        drawn += f"\n{who}: {rate}\n"
        drawn += drawing(steps, divided=row["metric"] not in {"CER", "CERns"}, width=width) + "\n"
    return drawn


def _means(document: dict[str, Any]) -> list[str]:
    """Return a line for each dataset's and model's mean over locales; one that lacks locales of another names them."""
    metrics = {cell["metric"] for cell in document["cells"] if cell["metric"]}
    means = [("macro_wer", "mean WER"), ("macro_cerns", "mean CER without spaces")]
    if metrics == {"CERns"}:
        means = means[1:]
    elif len(metrics) == 1:  # one that was asked for, or is every locale's own
        means[0] = ("macro_rate", f"mean {metrics.pop()}")
    macros = document["totals"]["macros"]
    lines = []
    for name, label in means:
        for macro in macros:
            own = macro[f"{name}_locales"]
            every = {
                locale
                for other in macros
                if other["dataset"] == macro["dataset"]
                for locale in other[f"{name}_locales"]
            }
            if not own or len(every) == 1:
                continue
            lacking = sorted(every.difference(own))
            count = f"{len(own)} of {len(every)}" if lacking else f"{len(own)}"
            sets = macro[f"{name}_sets"]
            shared = f" ({sets} test {'set' if sets == 1 else 'sets'})" if sets < len(own) else ""
            who = " / ".join(visible(macro[part]) for part in ("dataset", "model") if macro[part])
            lines.append(
                f"{label} of {count} locales{shared}"
                + (f", {who}" if who and len(macros) > 1 else "")
                + f": {_percent(macro[name])}"
                + (f" (lacks {', '.join(map(visible, lacking))})" if lacking else "")
            )
    return lines


def _tools(metrics: set[str | None], versions: dict[str, str]) -> list[str]:
    """Return what cut texts into tokens where that depends on a version."""
    from harness.text.segment import SEGMENTERS

    tools = [f"{name} {versions[name]}" for own in SEGMENTERS.values() for name in own if name in versions]  # fmt: skip
    if not metrics.isdisjoint({"segWER", "kanaCER"}):
        return tools
    return [f"the rules of Unicode {versions['unicode_clusters']}"] if "gCER" in metrics else []


def _interval(cell: dict[str, Any]) -> str:
    low, high = cell["rate_low"], cell["rate_high"]
    if low is None or high is None:
        return "too few" if cell["interval"] and cell["rate"] is not None else "-"
    return f"{100 * low:.2f} to {100 * high:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
