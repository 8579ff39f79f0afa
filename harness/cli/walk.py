"""The doctor's walk: every capability of the Live API in live sessions, one after the other."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from harness.cli.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.audio.clip import AudioClip
    from harness.secret import Secret
    from harness.session.probes.probe import Outcome, Place, Probe, Tls
    from harness.units import Seconds
    from harness.wire.live.endpoint import Endpoint, Route
    from harness.wire.live.messages import Setup

EMULATED: Final = (
    "gemini-live-2.5-flash-preview",
    "gemini-2.5-flash-native-audio-preview-09-2025",
    "gemini-3.5-transcribe-live",
    "gemini-3.1-flash-live-preview",
)
"""Models that the emulator is asked for between them: the first that has the capability."""

HURRIED: Final = (
    *("--ear", "scripted"),
    *("--connection-life", "5", "--go-away-lead", "3"),
    *("--session-life", "2", "--video-session-life", "1"),
    *("--quirk", "unknown-fields", "--quirk", "missing-usage"),
)
"""Options of a second emulator: whose minutes are seconds, and which shows what no service shows on demand."""

FAILED: Final = 5
"""Exit code when a capability that is offered does not work."""

PATIENCE: Final = 2
"""How often something is waited for in vain before nothing is waited for long any more."""

BRIEF_WAIT_S: Final[Seconds] = 5.0
"""Longest wait for anything then."""

BETTER_EAR: Final = (
    "pip install 'live-harness[emulator,ear-weights]': pocketsphinx hears little of such audio"
)
"""What helps where an emulator of ours heard something else: all else it has no choice but to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulators:
    """What the doctor started for itself."""

    url: str
    hurried: str
    tls: Tls | None

    ear: str
    """The recogniser's name."""


def answers() -> list[dict[str, Any]]:
    """Return what an emulator must answer to the probes' questions: the lines of an answers file."""
    from harness.session.probes import probe

    numbers = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    return [
        {
            "when": {"text": f"^{probe.TEMPERATURE[:27]}"},
            "call": {"name": "get_temperature", "args": {"city": "Gdynia"}},
            "after": "It is {celsius} degrees.",
        },
        {
            "when": {"text": f"^{probe.NEWS[:14]}"},
            "say": "All is quiet.",
            "grounding": {"webSearchQueries": ["news today"]},
        },
        {"when": {"text": f"^{probe.RIDDLE[:20]}"}, "think": "They double.", "say": "Sixteen."},
        {"when": {"text": f"^{probe.COUNT[:12]}"}, "say": numbers},
        {"when": {"text": f"^{probe.PRIVATE[:20]}"}, "silent": True},
        {
            "when": {"text": f"^{probe.NAME[:15]}", "past": r"my name is (?P<name>\w+)"},
            "say": "{name}.",
        },
        {"when": {"text": f"^{probe.COLOUR[:11]}"}, "say": "Grey."},
        {"when": {"text": f"^{probe.NOTES[:12]}"}, "say": "Noted."},
        {"when": {"text": "^Please say: (.*)"}, "say": "{1}"},
    ]


def write_answers(path: Path) -> None:
    """Write a file of the answers."""
    path.write_text("\n".join(map(json.dumps, answers())), encoding="utf-8")


def walk(
    service: Any, url: str | None, model: str | None, *, own: Emulators | None = None
) -> Iterator[Finding]:
    """Yield what each capability was found to be; the service is known to answer. `own`: what was started for it."""
    from harness.session.probes import PROBES

    models = list(EMULATED) if service == "emulator" and model is None else [_named(service, model)]
    first = _place(service, url, models[0], os.environ, own)
    places = [first, *(replace(first, model=one) for one in models[1:])]
    in_vain = 0
    for probe in PROBES:
        if in_vain == PATIENCE:
            places = [replace(one, wait_s=BRIEF_WAIT_S) for one in places]
        began = time.monotonic()
        found = _found(probe, places)
        in_vain += found.silent
        unheard = own is not None and found.verdict == "not shown"
        yield Finding(
            check=probe.capability,
            verdict=found.verdict,
            found=found.told,
            took_s=time.monotonic() - began,
            hint=BETTER_EAR if unheard else None,
            exit_code=FAILED if found.verdict == "failed" else 0,
        )


def _named(service: Any, model: str | None) -> str:
    from harness.cli.tasks import usual_model

    return model or usual_model("transcribe", service)


def _found(probe: Probe, places: list[Place]) -> Outcome:
    """Return what the first model says that is offered the capability, or why the first one is not."""
    from harness.session.probes.probe import outcome

    first = None
    for place in places:
        found = asyncio.run(outcome(probe, place))
        if found.verdict != "not offered":
            another = place is not places[0] and found.verdict in ("ok", "accepted")
            return replace(found, told=f"{place.model}: {found.told}") if another else found
        first = first or found
    assert first is not None  # noqa: S101 - there is always a place
    return first


def _place(
    service: Any, url: str | None, model: str, environment: Mapping[str, str], own: Emulators | None
) -> Place:
    from harness.secret import Secret
    from harness.session.config import api_key, credentials, endpoints, route
    from harness.session.probes.probe import Place
    from harness.session.transport import connect

    def endpoint(wanted: Route) -> Endpoint:
        return endpoints(service, url, environment, version=wanted.version)()

    def needed(setup: Setup) -> Route:
        return route(service, None, [setup], environment)

    clip = recording()
    key: Secret | None = Secret("doctor") if service == "emulator" else api_key(environment)
    return Place(
        connect=connect,
        endpoint=endpoint,
        route=needed,
        service=service,
        url=url,
        key=key,
        model=model,
        speech=clip.read(0, len(clip)),
        pause_s=0.0 if service == "emulator" else 0.1,
        hurried=own.hurried if own else None,
        tls=own.tls if own else None,
        answers=own is not None,
        poor_ear=own is not None and own.ear.startswith("pocketsphinx"),
        secrets=credentials(environment),
    )


def recording() -> AudioClip:
    """Return the shortest English recording of the sample dataset."""
    from harness.audio.load import load
    from harness.corpus.shelf import open_dataset

    english = [u for u in open_dataset("sample").utterances if u.locale == "en-US"]
    shortest = min(english, key=lambda u: u.duration_s or float("inf"))
    assert shortest.audio is not None  # noqa: S101 - of the bundled recordings
    return load(shortest.audio, offset_s=shortest.offset_s, duration_s=shortest.duration_s)
