"""`make chaos`: break everything that can break, and write `docs/reliability.md`. Under ten minutes (8 min 33 s on two quiet cores).

`python -m tests.chaos fuzz --frames 10000` does one section; the others on the page stay as they were.

To add a section: a module beside this one with `section(options: Options) -> Section`, and its name in `SECTIONS`.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import sys
import time
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.measure import machine
from tests.chaos.section import Options

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"

SECTIONS = (
    "promises",
    "faults",
    "sockets",
    "quota",
    "hostile",
    "fuzz",
    "readers",
    "examples",
    "folders",
    "crash",
)
"""In the page's order; each is a module of this package."""

HEAD = """# Reliability

The tests that *Promises* names are run by `make test`; `make chaos` does the rest of this page again and writes it, and
fails when anything of that does not hold or a test named here is nowhere. Each section says when it was last done, from
which seed, and how long it took."""


def main() -> int:
    """Do the sections asked for, else all; write the page; return 1 when something did not hold."""
    options, wanted = _arguments()
    made_now, broken = {}, []
    for name in wanted:
        begun, spent = time.monotonic(), _cpu_s()
        made = importlib.import_module(f"tests.chaos.{name}").section(options)
        done = (
            f"*{datetime.now(UTC).date()}, seed {options.seed}, "
            f"{time.monotonic() - begun:.0f} s, {_cpu_s() - spent:.0f} s of CPU, on {machine()}.*"
        )
        made_now[name] = f"## {made.title}\n\n{done}\n\n{made.text.strip()}"
        print(made_now[name], end="\n\n", flush=True)  # noqa: T201 - the result
        broken += [f"{name}: {what}" for what in made.broken]
    page = (_sections_of(DOCS.read_text(encoding="utf-8")) if DOCS.exists() else {}) | made_now
    parts = [f"<!-- section: {name} -->\n{page[name]}" for name in SECTIONS if name in page]
    DOCS.write_text("\n\n".join([HEAD, *parts]) + "\n", encoding="utf-8")
    for what in broken:
        print(f"does not hold: {what}", file=sys.stderr)  # noqa: T201 - the verdict
    return 1 if broken else 0


def _cpu_s() -> float:
    """Return what this process and those that it has seen end have spent, s."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def _arguments() -> tuple[Options, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    for one in fields(Options):
        parser.add_argument(f"--{one.name}", type=int, default=one.default)
    given = vars(parser.parse_args())
    wanted = given.pop("sections") or list(SECTIONS)
    if unknown := set(wanted) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    return Options(**given), wanted


def _sections_of(page: str) -> dict[str, str]:
    """Return the sections of a page as it was, by name."""
    found = {}
    for part in page.split("<!-- section: ")[1:]:
        name, _, text = part.partition(" -->\n")
        found[name] = text.strip()
    return found


if __name__ == "__main__":
    sys.exit(main())
