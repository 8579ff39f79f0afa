"""`check`: all that is wrong with a dataset, its audio included.

Knows what to look at; does not know how manifests are judged (that is `manifest`) nor audio decoded (that is `audio`).
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.corpus.manifest import Entry
from harness.corpus.shelf import located, one_line, read
from harness.corpus.utterance import Fault
from harness.errors import InputError


def check(text: str, *, locale: str | None = None, deep: bool = False) -> Iterator[Fault]:
    """Yield all that is wrong with the dataset that `text` names, its audio included, in the order of its manifest.

    Audio is opened and its header read; with `deep` it is decoded to its end. Raises as `located` does.
    """
    recipe = located(text, locale=locale)
    count = 0
    for found in read(recipe):
        if isinstance(found, Fault):
            yield found
            continue
        count += 1
        yield from audio_faults(found, deep=deep)
    if not count:
        yield Fault(
            where=text if recipe.manifest == "." else recipe.manifest, what="no usable utterance"
        )


def audio_faults(entry: Entry, *, deep: bool = False) -> Iterator[Fault]:
    """Yield what is wrong with the audio of one utterance; nothing where there is none.

    Its header is read; with `deep` its samples are decoded to the end, and what is odd about the signal is a warning.
    """
    from harness.audio.load import ends_beyond, load, probe, span

    utterance, where, line = entry
    start, length = utterance.offset_s, utterance.duration_s
    if utterance.audio is None:
        return
    try:
        if deep:
            for what in load(utterance.audio, offset_s=start, duration_s=length).faults:
                yield Fault(where=where, line=line, what=what, warning=True)
            return
        info = probe(utterance.audio)
        span(utterance.audio, info, start, length)
    except InputError as error:
        yield Fault(where=where, line=line, what=one_line(error))
        return
    end, whole = start + (length or 0), info.duration_s
    if whole is not None and ends_beyond(whole, end):
        what = f"the span ends at {end:g} s, and the file at {whole:.2f} s"
        yield Fault(where=where, line=line, what=what)
