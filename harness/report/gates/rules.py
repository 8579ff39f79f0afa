"""Gates as people write them: rules on a run's cells, read from TOML.

A rule bounds one column of `summary.csv` in every cell that `where` chooses: from above (`max`), from below (`min`), or
against a baseline over the same utterances (`max_regression`). How they are checked is `gate`.

Needs nothing heavy, so that a broken gate is refused before anything is sent.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.errors import UsageError, suggestion
from harness.report.difference.difference import MACROS, PAIRED, SHARES
from harness.report.tables.columns import SUMMARY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.report.summary.document import Cell, Standing

RULE_KEYS: Final = {
    "column": "column of `summary.csv` that the rule is about; or `macro_cerns`, `macro_wer`: a model's plain mean over a "
    "dataset's locales, those with the same clips counted once",
    "where": "table of text columns and the value, or list of values, that a cell must have; without it, every cell",
    "max": "the figure may be at most this, in the column's unit",
    "min": "the figure must be at least this",
    "max_regression": "the figure may be worse than the baseline's by at most this, over the same utterances",
    "min_n": "fewest utterances that the figure must rest on; 1 without it",
    "significance": "with `max_regression`: only a change with a p value at most this fails, Holm-adjusted over the "
    "rule's cells",
}
"""Every key of a rule, and what it means."""

GATE_KEYS: Final = {
    "rule": "the rules, one `[[rule]]` each",
    "baseline": "run folder that `max_regression` compares with in `harness run` and `harness report`, relative to the "
    "gate's file",
}
"""Every key at the top of a gate."""

_NUMERIC: Final = {
    *(column.name for column in SUMMARY_COLUMNS if column.kind in ("whole", "real")),
    *MACROS,
}
_TEXTUAL: Final = {column.name for column in SUMMARY_COLUMNS if column.kind == "text"}

_OVER_LOCALES: Final = frozenset({"dataset", "model"})
"""What a mean over locales may be chosen by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One `[[rule]]`."""

    column: str
    where: Mapping[str, tuple[str, ...]]
    max: float | None = None
    min: float | None = None
    max_regression: float | None = None
    min_n: int = 1
    significance: float | None = None

    @property
    def text(self) -> str:
        """The rule in words."""
        bounds = [
            *([f"at most {self.max:g}"] if self.max is not None else []),
            *([f"at least {self.min:g}"] if self.min is not None else []),
            *([f"{'down' if self.column in SHARES else 'up'} by at most {self.max_regression:g}"] if self.max_regression is not None else []),
        ]  # fmt: skip
        words = f"{self.column} {' and '.join(bounds)}"
        if self.where:
            words += " where " + " and ".join(
                f"{name} is {' or '.join(values)}" for name, values in self.where.items()
            )
        if self.min_n > 1:
            words += f", n at least {self.min_n:,}"
        if self.significance is not None:
            words += f", unless p is above {self.significance:g}"
        return words

    def concerns(self, cell: Cell | Standing) -> bool:
        """Whether `where` chooses the cell, or the model on a dataset."""
        return all(getattr(cell, name) in values for name, values in self.where.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """All rules of a file."""

    rules: tuple[Rule, ...]
    baseline: Path | None = None
    """Run folder to compare with where none is given; None: there is none."""

    @property
    def needs_baseline(self) -> bool:
        """Whether a rule compares with another run."""
        return any(rule.max_regression is not None for rule in self.rules)


def read_gate(path: Path) -> Gate:
    """Return the gate in the TOML file at `path`; UsageError says which key, value or column is wrong, and what is near."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="--gate wants a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    _known(str(path), document, GATE_KEYS)
    rules = document.get("rule")
    if not isinstance(rules, list) or not rules:
        raise UsageError(
            f"{path}: a gate without a rule lets everything through",
            hint='write [[rule]], column = "rate", max = 0.1',
        )
    baseline = document.get("baseline")
    if baseline is not None and not isinstance(baseline, str):
        raise UsageError(f"{path}: baseline must be the path of a run folder, not {baseline!r}")
    return Gate(
        rules=tuple(_rule(f"{path}: rule {number}", rule) for number, rule in enumerate(rules, 1)),
        baseline=None if baseline is None else path.parent / baseline,
    )


def _rule(where: str, table: Any) -> Rule:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table: [[rule]]")
    _known(where, table, RULE_KEYS)
    column = table.get("column")
    if column is None:
        raise UsageError(f"{where}: names no column", hint='e.g. column = "rate"')
    if column not in _NUMERIC:
        what = "is text, not a figure" if column in _TEXTUAL else "is not a column of summary.csv"
        raise UsageError(
            f"{where}: {column!r} {what}",
            hint=suggestion(str(column), _NUMERIC) or f"known are: {', '.join(sorted(_NUMERIC))}",
        )
    rule = Rule(
        column=column,
        where=_where(where, table.get("where", {}), macro=column in MACROS),
        max=_number(where, table, "max"),
        min=_number(where, table, "min"),
        max_regression=_number(where, table, "max_regression", least=0.0),
        min_n=_min_n(where, table.get("min_n", 1)),
        significance=_number(where, table, "significance", least=0.0, most=1.0),
    )
    if (rule.max, rule.min, rule.max_regression) == (None, None, None):
        raise UsageError(f"{where}: bounds nothing", hint="give it max, min or max_regression")
    if rule.max_regression is not None and column not in PAIRED:
        raise UsageError(
            f"{where}: max_regression is not known of {column}",
            hint=f"it is of {', '.join(PAIRED)}",
        )
    if rule.significance is not None and rule.max_regression is None:
        raise UsageError(
            f"{where}: significance is of a difference, and there is no max_regression",
            hint="for a threshold that allows for chance, bound rate_high or rate_low",
        )
    return rule


def _known(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            raise UsageError(
                f"{where}: unknown key {key!r}",
                hint=suggestion(key, known) or f"known are: {', '.join(known)}",
            )


def _where(where: str, table: Any, *, macro: bool) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise UsageError(
            f"{where}: where must be a table", hint='e.g. where = { locale = "de-DE" }'
        )
    if macro and (narrow := [name for name in table if name in _TEXTUAL - _OVER_LOCALES]):
        raise UsageError(
            f"{where}: where.{narrow[0]}: a macro rate is over all locales of a dataset",
            hint=f"it knows {' and '.join(sorted(_OVER_LOCALES))}; bound rate per locale",
        )
    _known(f"{where}: where", table, sorted(_TEXTUAL))
    found = {}
    for name, value in table.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, str) for one in values):
            raise UsageError(
                f"{where}: where.{name} must be text or a list of texts, not {value!r}"
            )
        found[name] = tuple(values)
    return found


def _number(
    where: str, table: Mapping[str, Any], key: str, *, least: float = -math.inf, most: float = math.inf
) -> float | None:  # fmt: skip
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where}: {key} must be a number, not {value!r}")
    if not least <= value <= most:
        bounds = f"at least {least:g}" if math.isinf(most) else f"from {least:g} to {most:g}"
        raise UsageError(f"{where}: {key} must be {bounds}, not {value:g}")
    return float(value)


def _min_n(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{where}: min_n must be a whole number of at least 1, not {value!r}")
    return value
