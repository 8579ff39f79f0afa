"""What lies behind a row: its session's trace, its clip, and where in that clip somebody speaks.

Everything here may be gone when a report is written again; then it is None, and the row stays as it is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from harness.errors import InputError
from harness.run.folder import trace_path
from harness.run.heard import speech_file
from harness.trace.file import read_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.audio.clip import AudioClip
    from harness.report.rows.bounds import Bounds, SpeechBook
    from harness.report.rows.row import Row
    from harness.run.record import Plan, UtteranceRecord
    from harness.trace.trace import Channel, SessionTrace
    from harness.units import Seconds

_PLAYED: Final = frozenset({".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".webm"})
"""Files that browsers play."""

_LONGEST_S: Final[Seconds] = 600.0
"""Clips beyond this are neither drawn nor put into a page: a page is for utterances."""


class Exhibits:
    """The traces and clips of the run in `folder`."""

    def __init__(
        self, folder: Path, plan: Plan, speech: SpeechBook, records: Sequence[UtteranceRecord]
    ) -> None:
        self._folder = folder.resolve()
        self._speech = speech
        self._records = records
        self.channel: Channel = plan.transcript
        """Whose text the rows judge."""

    def record(self, row: Row) -> UtteranceRecord | None:
        """Return the record of a row's last attempt; None: there was none that was final."""
        return self._records[row.session.place] if row.session else None

    def trace(self, row: Row) -> SessionTrace | None:
        """Return the trace of a row's last attempt; None: there was none, or it is gone, torn, or not in the folder."""
        record = self.record(row)
        if record is None or record.trace is None:
            return None
        path = trace_path(self._folder, record.trace)
        if path is None or not path.resolve().is_relative_to(self._folder):
            return None
        try:
            return read_trace(path)
        except InputError:
            return None

    def clip(self, row: Row) -> AudioClip | None:
        """Return what was said, as it was sent, or what the model said of a text.

        None: the file is gone or unreadable, or the clip is too long to show.
        """
        from harness.audio.load import load

        path = self._file(row)
        utterance = row.planned
        length = row.speech_s if self.received(row) else row.audio_s or utterance.duration_s
        if path is None or (length or 0.0) > _LONGEST_S:
            return None
        try:
            return load(path, offset_s=utterance.offset_s, duration_s=utterance.duration_s)
        except InputError:
            return None

    def received(self, row: Row) -> bool:
        """Return whether the row's clip is what the model said: nobody spoke to it."""
        return row.planned.audio is None

    def _file(self, row: Row) -> Path | None:
        """Return the file of the row's clip; None: there is none."""
        audio = row.planned.audio
        if audio is not None:
            return Path(audio)
        record = self.record(row)
        speech = speech_file(record) if record else None
        if speech is None or "\0" in speech:
            return None
        path = (self._folder / speech).resolve()
        return path if path.is_relative_to(self._folder) else None

    def bounds(self, row: Row) -> Bounds | None:
        """Return where in the clip somebody speaks; None: nothing is known of the clip, or nothing came of it."""
        return self._speech.bounds(row.planned, row.audio_s) if row.session else None

    def starts_at(self, row: Row) -> Seconds:
        """Return where in its file the clip begins, s."""
        return row.planned.offset_s

    def link(self, row: Row) -> str | None:
        """Return the address of the row's audio file relative to the page; None: a page may not point there.

        That is so for files that browsers do not play, that are gone, and that lie neither in the run's folder nor
        below the one that holds the folder of runs: a longer way up would tell of the machine.
        """
        file = self._file(row)
        if file is None:
            return None
        path = file.resolve()
        reach = self._folder.parent.parent
        near = path.is_relative_to(self._folder) or (
            path.is_relative_to(reach) and reach != Path(reach.anchor)
        )
        if not near or path.suffix.lower() not in _PLAYED or not path.is_file():
            return None
        return quote(os.path.relpath(path, self._folder).replace(os.sep, "/"))
