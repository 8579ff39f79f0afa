"""`harness languages`: the locales that can be tested."""

from __future__ import annotations

import dataclasses

import click

from harness.cli.listing import print_document, print_table
from harness.text.locales import LOCALES, SETS

_FLAGS = {True: "yes", False: "no", None: "-"}


@click.command("languages")
@click.option(
    "--set",
    "chosen",
    type=click.Choice(list(SETS)),
    help="Only these: the guide's 30, the 24-language list of Vertex AI, or what native audio speaks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(chosen: str | None, as_json: bool) -> None:
    """List the locales that can be tested, and how each is measured.

    NATIVE says whether native-audio models speak it (- where the guide does not say), GUIDE and 24 whether it is in
    the Live API guide and in the 24-language list of Vertex AI. WER counts words; CERns counts characters without
    spaces, for scripts that do not divide words by them, and for Korean.
    """
    codes = SETS[chosen] if chosen else tuple(LOCALES)
    locales = [LOCALES[code] for code in codes]
    if as_json:
        print_document([dataclasses.asdict(locale) for locale in locales])
        return
    rows = [
        (
            locale.code,
            locale.english,
            locale.metric,
            _FLAGS[locale.native_audio],
            _FLAGS[locale.guide],
            _FLAGS[locale.vertex24],
            locale.native,
        )
        for locale in locales
    ]
    print_table(("CODE", "LANGUAGE", "METRIC", "NATIVE", "GUIDE", "24", "ITS NAME"), rows)
