"""`Utterance`: one thing that somebody said, where its audio is, and what was said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.corpus.scenario import Scenario
from harness.units import Seconds


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a dataset. Its id is unique in the dataset."""

    id: str
    """Identifier, unique in the dataset, any text; slugged where it becomes a file name."""

    dataset: str
    """Name of the dataset it belongs to."""

    audio: Path | None
    """Audio file, absolute; None: it is written, to be spoken or asked."""

    offset_s: Seconds = 0.0
    """Where the utterance starts in the file, s."""

    duration_s: Seconds | None = None
    """How long it is, s; None: to the file's end."""

    reference: str | None
    """What was said, as the dataset writes it, or what is to be; None: nobody wrote it down, so it cannot be scored."""

    locale: str
    """BCP-47 locale, canonical (`harness.text.locales`)."""

    speaker: str | None = None
    """Speaker's identifier in the dataset; None: unknown."""

    tags: dict[str, Any] = {}
    """Every other column of the manifest, as it was: JSON values."""

    scenario: Scenario | None = None
    """What it brings along beside its words; None: nothing."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with a dataset, and where."""

    where: str
    """The file, relative to the dataset."""

    line: int | None = None
    """1-based line in that file; None: the file as a whole."""

    what: str
    """What is wrong and what to do, in words."""

    warning: bool = False
    """True: worth knowing, and the utterance is usable all the same."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded dataset: its recipe's facts, its usable utterances, and the faults met on the way."""

    name: str
    """Short name, as typed on the command line or made from the path."""

    title: str
    """One line for people."""

    root: Path
    """The dataset's folder, absolute; no audio lies outside it."""

    licence: str | None = None
    """Licence in words; None: the recipe does not say."""

    synthetic: bool = False
    """True: the speech is synthetic, and every table and report says so."""

    answers: Path | None = None
    """File of what an emulator is to answer, absolute; None: it repeats what it hears."""

    utterances: tuple[Utterance, ...]
    """In manifest order."""

    faults: tuple[Fault, ...] = ()
    """What `harness datasets check` prints."""

    overlooked: Path | None = None
    """The one manifest in a folder that was read as a folder of audio, as a user would name it; None: there is none."""
