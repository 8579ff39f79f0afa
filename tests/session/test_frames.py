"""Audio messages made once: the same bytes, whoever streams them, and never more than a block of a long clip."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
from array import array

from hypothesis import given
from hypothesis import strategies as st

from harness.audio.clip import AudioClip, FilePcm, MemoryPcm
from harness.clock import run_virtual
from harness.session import frames as room
from harness.session.drive import Session
from harness.session.frames import Frames, silence
from harness.session.pace import Pacer
from tests.session.memory import Service, assignment, drive, polite


def heard(block) -> bytes:
    """Return the PCM in a block of messages, by another decoder than ours."""
    return b"".join(
        base64.b64decode(json.loads(message)["realtimeInput"]["audio"]["data"]) for message in block
    )


def pcm(samples: int) -> bytes:
    """Return samples that all differ from their neighbours."""
    return array("H", (n % 30_000 for n in range(samples))).tobytes()


@given(st.integers(0, 9_000), st.sampled_from([10, 40, 100, 333]), st.integers(0, 5_000))
def test_messages_concatenate_to_the_clip(samples, chunk_ms, start):
    """Whatever the clip's length, the chunk's and the start, the messages hold the samples from there on, in order."""
    data = pcm(samples)
    block = Frames(AudioClip(pcm=MemoryPcm(data)), chunk_ms).block(start)
    assert data[2 * start :] == heard(block.messages)


def test_a_long_clip_comes_in_blocks(tmp_path):
    """Of a clip in a file no more than five seconds are made at a time, and a session sends all of it."""
    data = pcm(31 * 16_000 + 77)
    path = tmp_path / "clip.s16le"
    path.write_bytes(data)
    frames = Frames(AudioClip(pcm=FilePcm(path, 0, len(data) // 2)), 100)
    assert 50 == len(frames.block(0).messages) == len(frames.block(1600).messages)
    made: list[int] = []

    async def offload(work, *args):
        made.append(args[0])
        return work(*args)

    service = Service(polite(" hello"))
    todo = dataclasses.replace(assignment(1.0), frames=frames, offload=offload)
    ending, _ = run_virtual(drive(service, todo))
    assert "ok" == ending.outcome
    sent = b"".join(
        base64.b64decode(frame["realtimeInput"]["audio"]["data"])
        for frame in service.lines[0].heard
        if "audio" in frame.get("realtimeInput", {})
    )
    assert data == sent
    assert [80_000 * n for n in range(7)] == made


def test_a_clip_that_is_read_too_late_is_sent_late_and_whole(tmp_path):
    """When the disk is slower than speech, frames leave late, which their times show, and none is lost."""
    path = tmp_path / "clip.s16le"
    path.write_bytes(bytes(2 * 16_000 * 31))
    frames = Frames(AudioClip(pcm=FilePcm(path, 0, 16_000 * 31)), 100)

    async def slow(work, *args):
        await asyncio.sleep(5.5)
        return work(*args)

    todo = dataclasses.replace(assignment(1.0), frames=frames, offload=slow)
    ending, trace = run_virtual(drive(Service(polite(" hello")), todo))
    assert "ok" == ending.outcome
    times = [e.t for e in trace.events if "audio" in (e.frame.get("realtimeInput") or {})]
    assert 310 == len(times)
    assert times[-1] > 31.5


def test_a_clip_is_encoded_once_for_all_sessions(monkeypatch):
    """Five sessions with one clip encode each of its chunks once, and silence once a process."""
    encoded: list[int] = []
    encode = room.audio_frame
    monkeypatch.setattr(
        room, "audio_frame", lambda data: (encoded.append(len(data)), encode(data))[1]
    )
    silence.cache_clear()
    todo = assignment(3.0, turns="auto")

    async def main():
        pacer = Pacer(asyncio.get_running_loop())
        service = Service(polite(" hello"))
        sessions = [Session(todo, service.connect, pacer).run() for _ in range(5)]
        return await asyncio.gather(*sessions)

    results = run_virtual(main())
    assert {"ok"} == {result.ending.outcome for result in results}
    assert 30 + 15 == len(encoded)
