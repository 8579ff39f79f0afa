"""`harness models`: the catalogue of Live models."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from harness.cli.listing import WIDTH
from harness.wire.live import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.wire.live.catalogue import Model, Platform
    from harness.wire.live.prices import Price


@click.command("models")
@click.option("--platform", type=click.Choice(["gemini", "vertex"]), help="Only this platform's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(platform: Platform | None, as_json: bool) -> None:
    """List the models: what they can do, what they cost, whether they still exist.

    An id that is not listed can still be given to `harness run --model`; it is warned about and tried.
    """
    from harness.cli.tasks import TASKS, usual_model

    models = [
        model for model in catalogue.MODELS if platform is None or platform in model.platforms
    ]
    models.sort(key=lambda model: model.gone)
    if as_json:
        document = {
            "as_of": catalogue.AS_OF,
            "limits": _limits(),
            "models": [asdict(model) for model in models],
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for number, model in enumerate(models):
        if model.gone and not (number and models[number - 1].gone):
            click.echo("Shut down at the services:\n")
        usual = [task for task in TASKS if usual_model(task, "emulator") == model.id]
        click.echo("\n".join(_lines(model, usual)) + "\n")
    limits = _limits()
    click.echo(
        textwrap.fill(
            f"{len(models)} models, {sum(model.gone for model in models)} of them shut down, as of {catalogue.AS_OF}. Prices in USD for a million tokens; a second of audio is "
            f"{limits['audio_tokens_per_s']} tokens (some sources say {min(catalogue.AUDIO_TOKENS_PER_S)}). Without "
            f"context compression a session lasts {limits['session_audio_s'] / 60:.0f} min, with video "
            f"{limits['session_video_s'] / 60:.0f} min; a connection about {limits['connection_s'] / 60:.0f} min. "
            "Sources and dates: --json.",
            WIDTH,
        )
    )


def _limits() -> dict[str, float]:
    return {
        "audio_tokens_per_s": catalogue.DEFAULT_AUDIO_TOKENS_PER_S,
        "video_tokens_per_s": catalogue.PICTURE_TOKENS,
        "session_audio_s": catalogue.SESSION_AUDIO_S,
        "session_video_s": catalogue.SESSION_VIDEO_S,
        "connection_s": catalogue.CONNECTION_S,
        "go_away_lead_s": catalogue.GO_AWAY_LEAD_S,
        "free_sessions": catalogue.FREE_SESSIONS,
    }


def _lines(model: Model, usual: Sequence[str]) -> Iterator[str]:
    """Yield a model's facts; `usual` are the tasks that the emulator does with it when none is named."""
    yield click.style(model.id, bold=True)
    abilities = [
        name
        for name, has in (
            ("thinking", model.thinking),
            ("affective", model.affective),
            ("proactive", model.proactive),
            ("async functions", model.async_functions),
        )
        if has
    ]
    context = f", {model.context_tokens // 1024}k context" if model.context_tokens else ""
    yield _indented(
        f"{model.kind}, answers in {' or '.join(model.modalities)}{context}, "
        f"on {' and '.join(model.platforms)}"
    )
    yield _indented(model.status)
    if usual:
        yield _indented(f"default with the emulator: harness run --task {', '.join(usual)}")
        if model.gone:
            yield _indented(
                "It has ended at the service; the emulator still serves its wire, since it replies in TEXT as well as in AUDIO."
                if "TEXT" in model.modalities
                else "It has ended at the service; the emulator serves its wire all the same."
            )
    if abilities:
        yield _indented(", ".join(abilities))
    yield _indented(_price_text(model.price) if model.price else "price unknown")


def _price_text(price: Price) -> str:
    sides = (
        ("in", (("text", price.text_in), ("audio", price.audio_in), ("image", price.image_in))),
        ("out", (("text", price.text_out), ("audio", price.audio_out))),
    )
    text = "; ".join(
        f"{side}: " + ", ".join(f"{name} ${usd:.2f}" for name, usd in prices if usd is not None)
        for side, prices in sides
    )
    return f"{text} ({'assumed' if price.assumed else price.as_of})"


def _indented(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
