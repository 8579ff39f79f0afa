"""What divides the cells of a CSV: spreadsheets write commas, semicolons or tabs, by the machine's language.

Knows a file's first lines; does not know what its columns mean.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection
from typing import Final

_MARKS: Final = (",", ";", "\t")
_DECLARATION: Final = re.compile(r'"?sep=([,;\t|])"?', re.IGNORECASE)


def declared(line: str) -> str | None:
    """Return the mark that `line` declares, as `sep=;`, which Excel heeds above a header; None: it is no such line."""
    found = _DECLARATION.fullmatch(line)
    return found[1] if found else None


def divider(header: str, columns: Collection[Collection[str]]) -> str:
    """Return the mark that divides a header into most of `columns`, each given by all names that it goes by.

    Where marks are equal: one that divides anything, the comma first. `header` is its first line.
    """

    def found(mark: str) -> tuple[int, bool]:
        # Not strict: by the wrong mark, quotes stand where none may.
        try:
            cells = {cell.strip() for cell in next(csv.reader([header], delimiter=mark), [])}
        except csv.Error:
            return 0, False  # whoever reads the file says what is wrong
        return sum(not cells.isdisjoint(names) for names in columns), len(cells) > 1

    return max(_MARKS, key=found)
