"""What no trace may say: secrets in a session's frames, each by itself and once a channel's fragments are joined.

Knows events and secrets; does not know how a session was recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

import msgspec

from harness.secret import redact_joined, shows, tail
from harness.trace.seams import commits, standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.secret import Secret
    from harness.trace.trace import TimedEvent

_LOOK_BYTES: Final = 2**20
"""How much of a trace is searched for secrets at a time."""

_INTERIM: Final = "interimInputTranscription"


def mask(events: list[TimedEvent], secrets: Sequence[Secret]) -> None:
    """Mask secrets in the frames of `events`, in place."""
    _mask_within(events, secrets)
    _mask_across(events, secrets)


def _mask_within(events: list[TimedEvent], secrets: Sequence[Secret]) -> None:
    """Mask secrets in the texts and names of every frame. Nearly all show none: many are searched at once, as JSON."""
    begun, lines, size = 0, [], 0
    for number, event in enumerate(events, 1):
        lines.append(msgspec.json.encode(event.frame))
        size += len(lines[-1])
        if size < _LOOK_BYTES and number < len(events):
            continue
        if shows(b"\n".join(lines), secrets):
            for at in range(begun, number):
                masked = _masked(events[at].frame, secrets)
                events[at] = msgspec.structs.replace(events[at], frame=masked)
        begun, lines, size = number, [], 0


def _masked(frame: Any, secrets: Sequence[Secret]) -> Any:
    """Return `frame` with secrets masked in its texts and names: a field that we do not know may be called anything."""
    # Looked at as one text, since there may be millions; no secret goes over a quotation mark.
    pieces = [piece for text in _texts(frame) for piece in (text, '"')]
    return _with_texts(frame, iter(redact_joined(pieces, secrets)[::2]))


def _texts(value: Any) -> Iterator[str]:
    """Yield every name and text in `value`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _with_texts(value: Any, texts: Iterator[str]) -> Any:
    """Return `value` with `texts` in the places of `_texts(value)`."""
    if isinstance(value, str):
        return next(texts)
    if isinstance(value, dict):
        return {next(texts): _with_texts(item, texts) for item in value.values()}
    if isinstance(value, list):
        return [_with_texts(item, texts) for item in value]
    return value


def _mask_across(events: Sequence[TimedEvent], secrets: Sequence[Secret]) -> None:
    """Mask in the frames what shows a secret only once a channel's fragments are joined.

    They are joined in both ways: all as they came, and as readers join them, without those that were taken back.
    """
    _mask_joined(events, secrets)
    if (kept := standing(events)) is not events:
        _mask_joined(kept, secrets)


def _mask_joined(events: Sequence[TimedEvent], secrets: Sequence[Secret]) -> None:
    """Mask what the fragments of `events` show once each channel's are joined."""
    chains: dict[str, list[dict[str, Any]]] = {}
    spoken = chains.setdefault("inputTranscription", [])
    interim: list[dict[str, Any]] = []
    before = ""
    for event in events:
        if event.dir == ">":
            continue
        if commits(event):
            spoken += interim  # it stays
            before = tail(before + "".join(piece["text"] for piece in interim))
            interim = []
        for channel, piece in _pieces(event):
            if channel == _INTERIM:
                piece["text"] = redact_joined([before, piece["text"]], secrets)[1]
                interim = [piece]
                continue
            chains.setdefault(channel, []).append(piece)
            if channel == "inputTranscription":
                before, interim = tail(before + piece["text"]), []
    spoken += interim
    for chain in chains.values():
        masked = redact_joined([piece["text"] for piece in chain], secrets)
        for piece, text in zip(chain, masked, strict=True):
            piece["text"] = text


def _pieces(event: TimedEvent) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pieces of text in a received frame, each with the channel whose text it continues."""
    content = event.frame.get("serverContent") if event.dir == "<" else None
    if not isinstance(content, dict):
        return
    for name in ("inputTranscription", _INTERIM, "outputTranscription"):
        if _worded(piece := content.get(name)):
            yield name, piece
    for part in (content.get("modelTurn") or {}).get("parts") or ():
        if _worded(part):
            yield f"thought: {part.get('thought')}", part


def _worded(piece: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(piece, dict) and isinstance(piece.get("text"), str)
