"""`Spool`: where converted samples go, memory for an utterance and a file for anything longer."""

from __future__ import annotations

import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.audio.clip import FilePcm, MemoryPcm, Pcm
from harness.audio.source import shown
from harness.errors import InputError
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Samples

if TYPE_CHECKING:
    from types import TracebackType

IN_MEMORY: Samples = 60 * SAMPLE_RATE
"""A longer clip goes to a file: 1.9 MB a clip is what hundreds of sessions can hold at once."""


class Spool:
    """Where converted samples go: memory, and from a minute on a file."""

    def __init__(self, path: Path, folder: Path | None) -> None:
        self._path = path
        self._folder = folder
        self._held = bytearray()
        self._file: Any = None
        self._samples: Samples = 0

    def write(self, data: memoryview) -> None:
        """Take the next samples, s16le."""
        self._samples += data.nbytes // SAMPLE_BYTES
        if self._samples <= IN_MEMORY:
            self._held += data
        else:
            self._to_file(data)

    def pcm(self) -> Pcm:
        """Return what was written."""
        if self._file is None:
            return MemoryPcm(bytes(self._held))
        try:
            self._file.close()
        except OSError as error:
            raise self._full(error) from error
        pcm = FilePcm(Path(self._file.name), 0, self._samples)
        if self._folder is None:
            weakref.finalize(pcm, _remove, self._file.name)
        return pcm

    def _full(self, error: OSError) -> InputError:
        folder = self._folder or Path(tempfile.gettempdir())
        return InputError(
            f"{shown(self._path)}: the converted audio cannot be written to {shown(folder)}",
            why=error.strerror,
        )

    def _to_file(self, data: memoryview) -> None:
        try:
            if self._file is None:
                if self._folder is not None:
                    self._folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115  # closed by `pcm` or `__exit__`
                    prefix="live-harness-", suffix=".s16le", dir=self._folder, delete=False
                )
                self._file.write(self._held)
                self._held.clear()
            self._file.write(data)
        except OSError as error:
            raise self._full(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            if kind is not None:
                _remove(self._file.name)


def _remove(name: str) -> None:
    with suppress(OSError):
        Path(name).unlink()
