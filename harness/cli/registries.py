"""The two registries that an emulator is told to behave by, listed: its quirks, and what is not known of the service."""

from __future__ import annotations

import dataclasses
import json
import textwrap

import click

from harness.emulator.quirks.mischief import REGISTRY
from harness.wire.live.assumptions import QUESTIONS


def list_quirks(*, as_json: bool) -> None:
    """Print the registry of quirks."""
    if as_json:
        document = [
            {
                "name": one.name,
                "value": one.takes.written if one.takes else None,
                "default": one.takes.default if one.takes else None,
                "does": one.does,
                "source": one.source,
            }
            for one in REGISTRY.values()
        ]
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for one in REGISTRY.values():
        told = [one.does, f"({one.source})"]
        if one.takes:
            told.insert(1, f"VALUE: {one.takes.written}.")
        click.echo(one.usage)
        _echo_below(" ".join(told))


def list_assumptions(*, as_json: bool) -> None:
    """Print the registry of open questions."""
    if as_json:
        listed = [dataclasses.asdict(one) | {"default": one.default} for one in QUESTIONS]
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    for one in QUESTIONS:
        click.echo(f"{one.name}={one.default}")
        _echo_below(one.asks)
        for choice in one.choices:
            _echo_below(f"{choice.name}: {choice.does} ({choice.source})")


def _echo_below(text: str) -> None:
    """Print a paragraph that belongs to the line above it."""
    filled = textwrap.fill(text, 76, break_on_hyphens=False)
    click.echo(textwrap.indent(filled, "    "))
