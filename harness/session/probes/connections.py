"""Probes of the connection: credentials, platforms, versions, and how the door is shut."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness.secret import Secret
from harness.session.minting import mint
from harness.session.probes.probe import (
    QUESTION,
    NotOfferedError,
    NotShownError,
    NotWalkedError,
    Probe,
    quoted,
)
from harness.session.talk import FaultError, HungUpError, SilenceError
from harness.session.transport import tls_context
from harness.wire.live import endpoint as live
from harness.wire.live.credentials import REFUSED_CREDENTIAL
from harness.wire.live.endpoint import GEMINI_VERSIONS, VERTEX_VERSIONS, Route
from harness.wire.live.messages import AudioTranscriptionConfig, Setup
from harness.wire.live.tokens import TokenRequest, mask_of

if TYPE_CHECKING:
    from harness.session.probes.probe import Place
    from harness.wire.live.endpoint import Endpoint

VERTEX_MODEL: Final = "gemini-live-2.5-flash"
"""What an emulator is asked for as Vertex AI: it can write, and is served there."""

LOCATIONS: Final = ("us-central1", "global", "eu")
"""A region, all of them, and several: each is named otherwise."""

_PROJECT: Final = "doctor"


def on_vertex(place: Place, token: Secret, location: str = LOCATIONS[0]) -> Endpoint:
    """Return an emulator's endpoint as Vertex AI's; NotOfferedError where the service is the Developer API."""
    _require_vertex(place)
    return live.vertex(token, project=_PROJECT, location=location, url=place.url)


def as_vertex(place: Place) -> Place:
    """Return an emulator's place with the model that it serves as Vertex AI does."""
    return replace(
        place, model=VERTEX_MODEL, route=lambda _: Route(platform="vertex", version="v1beta1")
    )


def _require_vertex(place: Place) -> None:
    if place.service == "gemini":
        raise NotOfferedError("Vertex AI is another service: harness doctor --service vertex")


def _usual(place: Place) -> Endpoint:
    return place.endpoint(place.route(Setup()))


def _has_key(endpoint: Endpoint) -> bool:
    return any(name == "x-goog-api-key" for name, _ in endpoint.headers)


async def _api_key(place: Place) -> str:
    usual = _usual(place)
    if not _has_key(usual):
        raise NotOfferedError("sessions are opened with a token here, and not with a key")
    await place.opened(usual)
    wrong = Secret(REFUSED_CREDENTIAL)
    bad = (live.express if usual.platform == "vertex" else live.gemini)(wrong, url=place.url)
    setup, _ = place.named(place.modality(speaks=False), bad)
    return f"opened; a wrong one is refused: {await place.refusal(setup, bad, 'auth')}"


# ── Ephemeral tokens ─────────────────────────────────────────────────────────────────────────────────────────────────


async def _minted(place: Place, request: TokenRequest) -> Secret:
    """Return a new token; NotOfferedError where none can be had."""
    if place.service == "vertex":
        raise NotOfferedError("tokens are the Gemini Developer API's")
    if place.key is None:
        raise NotOfferedError("there is no API key to mint one with")
    key = place.key
    place.secrets.append(key)
    waiting: Future[Secret] = Future()
    waiting.set_running_or_notify_cancel()

    def work() -> None:
        try:
            waiting.set_result(mint(key, request, url=place.url))
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            waiting.set_exception(error)

    # A thread of its own: the loop's would be waited for at the end, however slowly an answer drips in.
    threading.Thread(target=work, daemon=True).start()
    try:
        async with asyncio.timeout(place.wait_s):
            token = await asyncio.wrap_future(waiting)
    except TimeoutError:
        raise SilenceError(f"no token within {place.wait_s:g} s") from None
    place.secrets.append(token)
    return token


async def _token(place: Place) -> str:
    token = await _minted(place, TokenRequest(uses=1))
    endpoint = live.gemini_token(token, url=place.url)
    await place.opened(endpoint)
    try:
        await place.opened(endpoint)
    except HungUpError as error:
        return f"minted; it opened a session, and no second one: {quoted(str(error))}"
    raise FaultError("a token for one session opened two")


async def _locked(place: Place) -> str:
    """Lock one field and leave the others to the client, who does not ask for it."""
    fixed = Setup(output_audio_transcription=AudioTranscriptionConfig())
    mask = mask_of(fixed)
    request = TokenRequest(bidi_generate_content_setup=fixed, field_mask=",".join(mask))
    token = await _minted(place, request)
    asked = place.modality(speaks=True)
    del asked["outputAudioTranscription"]
    setup, endpoint = place.named(asked, live.gemini_token(token, url=place.url))
    async with place.talk(setup, endpoint) as conversation:
        place.ask(conversation, QUESTION)
        heard = await conversation.turn()
    if not heard.spoken:
        raise FaultError(f"the answer came without the {mask[0]} that the token locks")
    return f"{mask[0]} is the token's, the rest is ours: {quoted(heard.spoken.strip())}"


# ── Vertex AI ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _vertex(place: Place) -> str:
    _require_vertex(place)
    if place.service == "vertex":
        usual = _usual(place)
        if _has_key(usual):
            raise NotOfferedError("express mode has no locations")
        await place.opened(usual)
        return f"opened at {usual.host}; GOOGLE_CLOUD_LOCATION names the others"
    for location in LOCATIONS:
        await as_vertex(place).opened(on_vertex(place, Secret("ya29.any"), location))
    hosts = [live.vertex(Secret("any"), project=_PROJECT, location=one).host for one in LOCATIONS]
    return f"models of {', '.join(LOCATIONS)} opened; their hosts: {', '.join(hosts)}"


async def _bearer(place: Place) -> str:
    _require_vertex(place)
    if place.service == "vertex":
        if _has_key(_usual(place)):
            raise NotOfferedError("express mode has a key, and no bearer token")
        for _ in range(2):
            await place.opened(_usual(place))
        return "asked for anew for each of two sessions"
    vertex = as_vertex(place)
    setup, old = vertex.named(
        vertex.modality(speaks=False), on_vertex(place, Secret(REFUSED_CREDENTIAL))
    )
    words = await vertex.refusal(setup, old, "auth")
    await vertex.opened(on_vertex(place, Secret("ya29.fresh")))
    return f"one that has run out is refused: {words}; a fresh one opens"


async def _express(place: Place) -> str:
    _require_vertex(place)
    if place.service == "vertex":
        usual = _usual(place)
        if not _has_key(usual):
            raise NotWalkedError("GOOGLE_API_KEY without GOOGLE_CLOUD_PROJECT is express mode")
        await place.opened(usual)
        return "opened with a key and no project"
    await as_vertex(place).opened(live.express(Secret("any"), url=place.url))
    return "opened with a key and no project"


# ── The address ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def _versions(place: Place) -> str:
    platform = place.route(Setup()).platform
    told, lacking = [], None
    for version in VERTEX_VERSIONS if platform == "vertex" else GEMINI_VERSIONS:
        try:
            await place.opened(place.endpoint(Route(platform=platform, version=version)))
        except HungUpError as error:
            # What a model is served under is the platform's to say: one that is not is told, with its words.
            if error.kind != "model_not_found":
                raise
            told.append(f"{version}: {quoted(str(error))}")
            lacking = error
        else:
            told.append(version)
    if lacking is None:
        return ", ".join(told)
    if all(": " in one for one in told):
        raise lacking
    raise NotShownError(", ".join(told))


async def _elsewhere(place: Place) -> str:
    if place.url is None:
        raise NotWalkedError("--url names another endpoint: a proxy, an emulator")
    usual = _usual(place)
    await place.opened(usual)
    return f"opened at {usual.printable}"


async def _tls(place: Place) -> str:
    if place.tls is None:
        usual = _usual(place)
        if not usual.secure:
            raise NotWalkedError(f"{usual.printable} is not encrypted")
        await place.opened(usual)
        return f"opened at wss://{usual.host}"
    encrypted = live.gemini(Secret("any"), url=place.tls.url)
    try:
        await place.opened(encrypted)
    except HungUpError as error:
        if not str(error).startswith("TLS: "):
            raise
        words = quoted(str(error))
    else:
        raise FaultError("a certificate that nobody vouches for was trusted")
    tls_context().load_verify_locations(place.tls.ca_file)
    await place.opened(encrypted)
    return f"a certificate that nobody vouches for is refused: {words}; one that is trusted opens"


async def _nowhere(place: Place) -> str:
    usual = _usual(place)
    setup, _ = place.named(place.modality(speaks=False), usual)
    lost = replace(usual, url=f"{usual.printable}Elsewhere")
    return await place.refusal(setup, lost, "config")


PROBES: Final = (
    Probe(capability="connection: API key in a header", walk=_api_key, transcribes=True),
    Probe(capability="connection: ephemeral tokens", walk=_token, transcribes=True),
    Probe(capability="connection: ephemeral tokens, locked setups", walk=_locked),
    Probe(
        capability="connection: Vertex AI: regional, global, multi-region",
        walk=_vertex,
        transcribes=True,
    ),
    Probe(
        capability="connection: Vertex AI: refreshed bearer tokens", walk=_bearer, transcribes=True
    ),
    Probe(capability="connection: Vertex AI: express mode", walk=_express, transcribes=True),
    Probe(capability="connection: v1beta, v1alpha, v1", walk=_versions, transcribes=True),
    Probe(capability="connection: another URL", walk=_elsewhere, transcribes=True),
    Probe(capability="connection: TLS", walk=_tls, transcribes=True),
    Probe(capability="connection: refusals at the upgrade", walk=_nowhere, transcribes=True),
)
