"""Tables for people at a terminal, and the one JSON document that `--json` prints."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click

from harness.text.visible import visible

WIDTH = 80
"""Columns of the narrowest terminal that is served well."""


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a header in columns two spaces apart; the last column is not padded.

    Widths count code points, so text in other scripts belongs in the last column.
    """
    shown = [header, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(header) - 1)]
    for row in shown:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*padded, row[-1]]).rstrip())


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print a name and what it comes to a line, what does not fit into a narrow terminal below it."""
    for name, value in facts:
        click.echo(
            textwrap.fill(
                f"{name:9} {value}",
                WIDTH,
                subsequent_indent=" " * 10,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )


def print_document(value: Any) -> None:
    """Print `value` as one JSON document, in ASCII: no terminal and no encoding can spoil it."""
    click.echo(json.dumps(value, indent=2))
