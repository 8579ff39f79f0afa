"""The ears of this machine, opened: for the emulator, and for the speech that a run kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AsyncExitStack

    from harness.emulator.ear.capacity import Capacity
    from harness.emulator.ear.ear import Ear
    from harness.run.record import UtteranceRecord


async def opened_ear(
    stack: AsyncExitStack, text: str, languages: tuple[str, ...]
) -> tuple[Ear, Capacity | None]:
    """Return the ear that `text` names, ready to hear, and how many sessions it bears; None: nothing is recognised."""
    from harness.emulator.ear import ears
    from harness.emulator.ear.remote import RemoteEar
    from harness.emulator.ear.scripted import Scripted

    chosen = ears.chosen(text)
    kind, _, detail = chosen.partition(":")
    if kind == "scripted":
        return (Scripted.from_file(Path(detail)) if detail else Scripted()), None
    ear = RemoteEar(chosen, languages)
    stack.push_async_callback(ear.stop)
    await ear.start()
    return ear, ear.capacity


def hear_speech(folder: Path, ear: str, *, say: Callable[[str], None]) -> int:
    """Let an ear hear the speech that the run in `folder` kept, and write down what it heard; return what is left over.

    The ear has a process of its own, at the lowest priority, and is told the language of each text. What it has heard
    before is not heard again. `say` is told what is going on, and which speech could not be heard: it is left over.
    """
    import asyncio

    from harness.errors import InputError
    from harness.run.folder import read_plan
    from harness.run.heard import speech_file
    from harness.run.orphans import read_attempts

    plan = read_plan(folder)
    if plan.task != "speak":
        raise InputError(
            f"{folder}: there is no speech to hear",
            why=f"its task is to {plan.task}",
            hint="harness run --task speak keeps what was spoken",
        )
    speeches = [
        (name, record)
        for record in read_attempts(folder)
        if record.final and (name := speech_file(record)) is not None
    ]
    return asyncio.run(_hear_all(folder, ear, speeches, say))


async def _hear_all(
    folder: Path,
    ear: str,
    speeches: Sequence[tuple[str, UtteranceRecord]],
    say: Callable[[str], None],
) -> int:
    from contextlib import AsyncExitStack

    from harness.emulator.ear.ear import EarLostError
    from harness.errors import InputError
    from harness.run.heard import HeardSpeech, digest, mend_heard, read_heard, write_heard
    from harness.text.locales import language_code

    mend_heard(folder)
    before = read_heard(folder)
    left = 0
    async with AsyncExitStack() as stack:
        listening, _ = await opened_ear(stack, ear, ())
        say(f"{listening.name} hears the speech of {len(speeches)} sessions")
        for name, record in speeches:
            language = language_code(record.locale)
            try:
                sha256 = digest(folder / name)
                known = before.get(name)
                wanted = (sha256, listening.name, language)
                if known is not None and (known.sha256, known.ear, known.language) == wanted:
                    continue
                text = await _heard(listening, folder / name, language)
            except (OSError, InputError, EarLostError) as error:
                left += 1
                say(f"{name} was not heard: {error}")
                continue
            told = HeardSpeech(
                audio=name, sha256=sha256, ear=listening.name, language=language, text=text
            )
            write_heard(folder, told)
    return left


async def _heard(ear: Ear, path: Path, language: str) -> str:
    """Return what `ear` hears in a file, cut at its pauses as a turn of a user's is."""
    from harness.audio.load import load
    from harness.emulator.user.turns import Piece, Turns, detection

    clip = load(path)
    turns = Turns(ear.appetite, detection(None), manual=True)
    listening = ear.listen((language,))
    text = ""
    try:
        for steps in (turns.start(), turns.audio(clip.read(0, len(clip))), turns.end()):
            for step in steps:
                if isinstance(step, Piece):
                    async for fragment in listening.hear(step.pcm, last=step.last):
                        text += fragment
    finally:
        listening.leave()
    return text.strip()
