"""live-harness: batch transcription and evaluation of real-time speech models over the Live API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.version import __version__

if TYPE_CHECKING:
    from harness.report.tables.table import read_run as read_run

__all__ = ["__version__", "read_run"]


def __getattr__(name: str) -> object:
    """Load the front door's functions when they are first asked for, so that importing stays cheap."""
    if name == "read_run":
        from harness.report.tables.table import read_run

        return read_run
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
