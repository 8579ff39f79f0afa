"""Where utterances come from, a layout a module: each yields `Row`s and `Fault`s and judges nothing but its own form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from harness.corpus.layout import Layout
from harness.corpus.row import Place, Row
from harness.corpus.sources import common_voice, fleurs, folder, jsonl, librispeech, table
from harness.corpus.utterance import Fault

READERS: Final[Mapping[Layout, Callable[[Place], Iterator[Row | Fault]]]] = {
    "jsonl": jsonl.rows,
    "csv": table.rows_csv,
    "tsv": table.rows_tsv,
    "folder": folder.rows,
    "librispeech": librispeech.rows,
    "common-voice": common_voice.rows,
    "fleurs": fleurs.rows,
}
"""The reader of each layout."""
