"""`--set PATH=VALUE`, as every command that takes a setup reads it."""

from __future__ import annotations

import click


def overrides(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Return the paths with their values; BadParameter names what is no such pair."""
    pairs: list[tuple[str, str]] = []
    for text in values:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise click.BadParameter(
                f"{text!r}: write PATH=VALUE, e.g. generationConfig.temperature=0.2"
            )
        pairs.append((path, value))
    return pairs
