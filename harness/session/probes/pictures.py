"""Probes of video: frames a second apart, and what their resolution costs."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import TYPE_CHECKING, Final

from harness.session.ask import FRAME_S
from harness.session.probes.probe import COLOUR, NotShownError, Probe, bill, by_modality, quoted

if TYPE_CHECKING:
    from harness.session.probes.probe import Fields, Place
    from harness.session.talk import Talk

FRAMES: Final = 3

LOW: Final[Fields] = {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}}


def grey_png(side: int = 64) -> bytes:
    """Return a grey picture, PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * side) * side
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


async def _shown(conversation: Talk, place: Place, frames: int) -> None:
    """Show some frames, one a second where time is real, and ask what they show."""
    for number in range(frames):
        if number and place.pause_s:
            await asyncio.sleep(FRAME_S)
        conversation.send(conversation.client.video(grey_png(), "image/png"))
    # Nothing orders turns and realtime input, so the question goes the way the frames go.
    conversation.send(conversation.client.text(COLOUR))


async def _frames(place: Place) -> str:
    async with place.session() as conversation:
        await _shown(conversation, place, FRAMES)
        heard = await conversation.until(lambda one: one.answer and one.turns, "answer")
    told = f"{FRAMES} frames, {quoted(heard.answer)}"
    details = heard.usage[-1].prompt_tokens_details if heard.usage else []
    if not details:
        if "gr" not in heard.answer.casefold():
            raise NotShownError(f"{told}, and no bill")
        return told
    told = f"{told}; {by_modality(heard.usage[-1])} tokens"
    if not any(one.modality in ("IMAGE", "VIDEO") for one in details):
        raise NotShownError(told)
    return told


async def _resolution(place: Place) -> str:
    prompts = []
    for fields in (LOW, {}):
        async with place.session(fields) as conversation:
            await _shown(conversation, place, 1)
            prompts.append((await bill(conversation)).prompt_token_count or 0)
    low, usual = prompts
    told = f"a prompt of {low} tokens at MEDIA_RESOLUTION_LOW, {usual} without"
    if not low < usual:
        raise NotShownError(told)
    return told


PROBES: Final = (
    Probe(capability="video in: pictures", walk=_frames, doubted=True),
    Probe(capability="video in: media resolution", walk=_resolution, doubted=True),
)
