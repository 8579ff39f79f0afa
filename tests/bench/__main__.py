"""`make bench`: measure, and write `docs/benchmarks.md`. Takes some twelve minutes; nothing else should run meanwhile.

`python -m tests.bench start sessions` measures these sections alone; the others on the page stay as they were, as does
one that fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import beside, disk, journal, records, texts, whole, wire
from tests.bench.measure import machine

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"

SECTIONS = {
    "start": whole.start,
    "sessions": whole.sessions,
    "punctuality": whole.punctuality,
    "open": wire.opening,
    "send": wire.send,
    "paced": lambda: wire.paced(100),
    "paced40": lambda: wire.paced(40, frames=100),
    "tls": lambda: wire.paced(100, tls=True),
    "lag": wire.lag,
    "receive": wire.receive,
    "beside": beside.beside,
    "audio": disk.audio,
    "scoring": texts.scoring,
    "journal": journal.journal,
    "records": records.records,
    "simulation": whole.simulation,
}
"""In the page's order."""

HEAD = """# Benchmarks

`make bench` measures all of this again and writes this page. Every figure is compared with a peer or a floor in the same
run; ratios are medians of round-by-round ratios, with their range. Absolute figures are this machine's and move with
whatever else it does. A goal that is not reached is said to be."""


def main() -> int:
    """Measure the sections asked for, else all; write the page after each; return 1 when one failed."""
    wanted = sys.argv[1:] or list(SECTIONS)
    if unknown := set(wanted) - set(SECTIONS):
        sys.exit(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    page = sections_of(DOCS.read_text(encoding="utf-8")) if DOCS.exists() else {}
    failed = []
    for name in wanted:
        begun = time.monotonic()
        try:
            text = SECTIONS[name]()
        except (AssertionError, OSError, subprocess.CalledProcessError, ValueError):
            traceback.print_exc()
            failed.append(name)
            continue
        took = f"{time.monotonic() - begun:.0f} s on {machine()}"
        title, _, rest = text.partition("\n")
        page[name] = f"{title}\n\n*{datetime.now(UTC).date()}, {took}.*\n{rest}"
        parts = [f"<!-- section: {one} -->\n{page[one]}" for one in SECTIONS if one in page]
        DOCS.write_text("\n\n".join([HEAD, *parts]) + "\n", encoding="utf-8")
        print(page[name], end="\n\n", flush=True)  # noqa: T201 - the result
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)  # noqa: T201 - the verdict
    return 1 if failed else 0


def sections_of(page: str) -> dict[str, str]:
    """Return the sections of a page as it was, by name."""
    found = {}
    for part in page.split("<!-- section: ")[1:]:
        name, _, text = part.partition(" -->\n")
        found[name] = text.strip()
    return found


if __name__ == "__main__":
    sys.exit(main())
