"""Common Voice: a TSV with a header beside a folder `clips/`; quotes are text.

`path` names a clip, `sentence` is the reference, `client_id` the speaker, `locale` Common Voice's own code, which says
nothing of the accent; everything else is a tag.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import PurePosixPath

from harness.corpus.row import Place, Row
from harness.corpus.sources.table import titled, tsv_records
from harness.corpus.utterance import Fault


def rows(place: Place) -> Iterator[Row | Fault]:
    """Yield a row for each clip of one of its TSV files; its id is the clip's name without extension."""
    base = str(place.start.parent / "clips")
    for row in titled(place, tsv_records(place, unquote=False)):
        if isinstance(row, Row) and (path := row.cells.get("path")):
            cells = {"id": PurePosixPath(path).stem, **row.cells}
            yield dataclasses.replace(row, base=base, cells=cells)
        else:
            yield row
