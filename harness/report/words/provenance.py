"""Who answered: Google's own hosts, an emulator with its ear or its file of answers, or somebody else.

Knows what each session says of its endpoint. Does not know what that means for a figure (`warnings`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.report.summary.document import Label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.rows.row import Row
    from harness.run.record import Task

_GOOGLE = ".googleapis.com"
"""Every host of the Developer API and of Vertex ends so."""


def labels(rows: Iterable[Row], task: Task) -> list[Label]:
    """Return what nobody may miss about who answered; empty when only Google's own hosts did.

    The emulator says so itself in the answer to the upgrade; that header, not the option used, is believed. It names the
    emulator's ear, which hears nothing where texts are read aloud.
    """
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.session is None or row.session.endpoint is None:
            continue
        if row.session.emulator is not None:
            ear = ear_name(row.session.emulator)
            kind, by = "emulated", ear
            if task == "speak":
                by = "synthesiser"
            elif ear.casefold().startswith("scripted"):
                kind, by = "scripted", "SCRIPTED, no recogniser"
            source = answers_file(row.session.emulator)
            read = f", ANSWERS READ FROM {source}" if source else ""
            found[kind, f"EMULATED ({by}){read}"] += 1
        elif not is_google(row.session.endpoint):
            found["other", f"OTHER ENDPOINT ({_scheme_and_host(row.session.endpoint)[1]})"] += 1
    return [
        Label(kind=kind, text=text, sessions=sessions)  # type: ignore[arg-type]  # the three kinds written above
        for (kind, text), sessions in found.most_common()
    ]


def ear_name(header: str) -> str:
    """Return the recogniser that an `X-Live-Emulator` header names: `<version>; <ear>[; <file of answers>]`."""
    return header.partition(";")[2].partition(";")[0].strip() or "unknown ear"


def answers_file(header: str) -> str | None:
    """Return the file that the emulator's answers were read from, by that header; None: it repeats what it hears."""
    return header.partition(";")[2].partition(";")[2].strip() or None


def is_google(endpoint: str) -> bool:
    """Whether `endpoint` is one of Google's own, over TLS."""
    scheme, host = _scheme_and_host(endpoint)
    return scheme in ("wss", "https") and host.partition(":")[0].endswith(_GOOGLE)


def _scheme_and_host(endpoint: str) -> tuple[str, str]:
    """Return the scheme, and the host with its port, of an endpoint; the whole of it where that is no URL."""
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return "", endpoint
    return parts.scheme, parts.netloc.rpartition("@")[2] or endpoint
