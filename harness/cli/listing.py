"""Tables for people at a terminal, and the one JSON document that `--json` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from harness.text.visible import visible


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a header in columns two spaces apart; the last column is not padded.

    Widths count code points, so text in other scripts belongs in the last column.
    """
    shown = [header, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(header) - 1)]
    for row in shown:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*padded, row[-1]]).rstrip())


def print_document(value: Any) -> None:
    """Print `value` as one JSON document, in ASCII: no terminal and no encoding can spoil it."""
    click.echo(json.dumps(value, indent=2))
