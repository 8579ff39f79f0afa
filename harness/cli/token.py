"""`harness token`: mint an ephemeral token."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from harness.cli.overrides import overrides
from harness.errors import RefusedError

if TYPE_CHECKING:
    from harness.wire.live.messages import Setup


@click.command(short_help="Mint an ephemeral token for a client that must not hold a key.")
@click.option("--url", help="Another endpoint that speaks the Developer API: a running emulator.")
@click.option(
    "--uses",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Sessions it may open, 0 for any number; resuming one takes none.",
)
@click.option(
    "--life",
    type=click.IntRange(1, 20 * 3600 - 1),
    default=1800,
    show_default=True,
    metavar="SECONDS",
    help="How long sessions that it opened may last.",
)
@click.option(
    "--door",
    type=click.IntRange(1, 20 * 3600 - 1),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long it may open sessions.",
)
@click.option("--model", help="Lock the model.")
@click.option(
    "--set",
    multiple=True,
    callback=overrides,
    metavar="PATH=VALUE",
    help="Lock a field below setup, e.g. generationConfig.temperature=0.2.",
)
@click.option(
    "--only",
    is_flag=True,
    help="Lock what --model, --set and --lock name, and leave the rest of the setup to the client.",
)
@click.option(
    "--lock",
    multiple=True,
    metavar="PATH",
    help="With --only: lock this field as well, though nothing sets it.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of the token."
)
def command(
    *,
    url: str | None,
    uses: int,
    life: int,
    door: int,
    model: str | None,
    set: list[tuple[str, str]],  # noqa: A002 - the option's name is also its variable's and its key's
    only: bool,
    lock: tuple[str, ...],
    as_json: bool,
) -> None:
    """Mint an ephemeral token with the key in GEMINI_API_KEY, and print it: it is a secret.

    \b
    export GEMINI_EPHEMERAL_TOKEN=$(harness token --uses 10)
    harness token --model gemini-3.5-transcribe-live       its sessions get this setup and no other
    harness token --only --model gemini-3.8-live           the model is fixed, the rest is the client's

    Tokens are the Gemini Developer API's.
    """  # noqa: D301 - Click's mark for a paragraph that it must not wrap
    import json

    from harness.session.config import api_key
    from harness.session.minting import mint
    from harness.wire.live.messages import Setup
    from harness.wire.live.tokens import TokenRequest, mask_of

    key = api_key(os.environ)
    if key is None:
        raise RefusedError(
            "no API key to mint a token with",
            why="looked at GEMINI_API_KEY and GOOGLE_API_KEY",
            hint="export GEMINI_API_KEY=…",
        )
    if lock and not only:
        raise click.UsageError("--lock goes with --only: without it the whole setup is locked")
    setup = _setup(model, set)
    mask = [*mask_of(setup), *lock] if only else []
    request = TokenRequest(
        uses=uses,
        expire_time=_ahead(life),
        new_session_expire_time=_ahead(door),
        bidi_generate_content_setup=setup if setup != Setup() or mask else None,
        field_mask=",".join(mask),
    )
    token = mint(key, request, url=url).reveal()
    document = {
        "name": token,
        "expireTime": request.expire_time,
        "newSessionExpireTime": request.new_session_expire_time,
        "uses": uses,
    }
    click.echo(json.dumps(document) if as_json else token)


def _setup(model: str | None, fields: list[tuple[str, str]]) -> Setup:
    """Return what the token locks."""
    import msgspec

    from harness.wire.live.messages import Setup
    from harness.wire.live.setups import with_overrides

    setup = with_overrides(Setup(), fields)
    if model is None:
        return setup
    return msgspec.structs.replace(setup, model=model if "/" in model else f"models/{model}")


def _ahead(seconds: int) -> str:
    """Return the time so many seconds from now, RFC 3339 in UTC."""
    from datetime import UTC, datetime, timedelta

    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
