"""JSON lines: one object a line, as NeMo and we write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from harness.corpus.lines import lines
from harness.corpus.row import Place, Row
from harness.corpus.utterance import Fault


def rows(place: Place) -> Iterator[Row | Fault]:
    """Yield a row for each line that is a JSON object; empty lines are skipped."""
    where, base = place.where(place.start), str(place.start.parent)
    renamed = {theirs: ours for ours, theirs in place.columns.items()}
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line in lines(place.start, where):
        if isinstance(line, Fault):
            yield line
            continue
        if not line.text.strip():
            continue
        try:
            cells = decode(line.text)
        except (msgspec.DecodeError, RecursionError) as error:
            yield Fault(where=where, line=line.number, what=_reason(line.text, error))
            continue
        if renamed:
            cells = {renamed.get(name, name): value for name, value in cells.items()}
        yield Row(where=where, line=line.number, base=base, cells=cells)


def _reason(text: str, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "not JSON we can read: nested too deeply"
    if text.lstrip().startswith("["):
        return "a JSON array: write one object a line, without brackets and commas around them"
    if "\\ud" in text.lower():
        return "not JSON, or it holds half of a surrogate pair (\\ud800 to \\udfff)"
    return f"not a JSON object: {error}".replace(" - at `$`", "")
