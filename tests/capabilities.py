"""The Live API's capabilities, and which tests prove them: what `docs/protocol.md` shows.

A test proves a capability by its mark, `@pytest.mark.capability("text: turns", side="client")`, on itself or on its whole
module (`pytestmark`). For the page tests are read, not run: a mark that names no capability is an error. What is claimed
for the client is what a run's own client does: a test that says so fails unless it has driven one (`watched`).
"""

from __future__ import annotations

import ast
import contextlib
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from harness.session.drive import SessionResult

TESTS = Path(__file__).parent

SIDES = ("client", "parts", "emulator")
"""The client of a run, driven as a run drives it; parts of it by themselves: codec, rules, sums; the emulator."""

BOTH = "client and emulator"
"""What a mark claims that says no side."""

DOCTOR_ONLY = ("audio in: 16 kHz sent, 4 to 192 kHz taken", "later models: context updates")
"""What no run does, and the doctor alone: its row says so."""

CAPABILITIES: dict[str, tuple[str, ...]] = {
    "connection": (
        "API key in a header",
        "ephemeral tokens",
        "ephemeral tokens, locked setups",
        "Vertex AI: regional, global, multi-region",
        "Vertex AI: refreshed bearer tokens",
        "Vertex AI: express mode",
        "v1beta, v1alpha, v1",
        "another URL",
        "TLS",
        "refusals at the upgrade",
    ),
    "setup": (
        "every field, with its defaults",
        "rules, checked before connecting",
        "close codes and reasons",
        "unknown fields are kept",
    ),
    "text": (
        "turns",
        "incremental context",
        "history seeding",
        "realtime text",
    ),
    "audio in": (
        "16 kHz sent, 4 to 192 kHz taken",
        "automatic activity detection",
        "sensitivities, padding, silence",
        "manual activity",
        "audioStreamEnd",
        "turn coverage",
        "activity handling",
        "transcription",
    ),
    "audio out": (
        "24 kHz PCM",
        "voices",
        "language code",
        "output transcription",
        "interruption",
    ),
    "video in": ("pictures", "media resolution"),
    "native audio": ("affective dialogue", "proactive audio", "thinking"),
    "tools": (
        "declarations, calls, responses",
        "blocking and not",
        "cancellation",
        "search grounding",
    ),
    "usage": (
        "both spellings",
        "per modality, turn and session",
        "thoughts",
        "cached tokens",
        "tool-use tokens",
        "absent is unknown",
    ),
    "long sessions": (
        "goAway",
        "resumption",
        "context-window compression",
        "limits of sessions and connections",
        "replay and seams",
    ),
    "later models": (
        "interim hypotheses",
        "language hints, vocabulary, verbatim mode",
        "fields and eras",
        "context updates",
    ),
}
"""Areas of the API, and what each consists of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One test of one capability."""

    capability: str
    """`area: detail`."""

    sides: tuple[str, ...]
    file: str
    """Below `tests/`, with forward slashes."""

    test: str
    witness: bool
    """True: another project's software takes part."""


def claimed(mark: pytest.Mark) -> tuple[str, ...]:
    """Return the sides on which a mark claims a capability."""
    return tuple(str(mark.kwargs.get("side", BOTH)).split(" and "))


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """Give a list that has an entry for each session of a run, and each `harness run`, while it is watched."""
    from harness import cli
    from harness.session.drive import Session

    driven: list[str] = []
    drive, execute, main = Session.run, subprocess.run, cli.main

    async def driving(self: Session) -> SessionResult | None:
        driven.append("session")
        return await drive(self)

    def executing(command: Any, *args: Any, **named: Any) -> Any:
        words = list(map(str, command))
        if "harness" in words and words[words.index("harness") + 1 :][:1] == ["run"]:
            driven.append("harness run")
        return execute(command, *args, **named)

    def typing(arguments: list[str] | None = None) -> None:
        if arguments and "run" == arguments[0]:
            driven.append("harness run")
        main(arguments)

    with (
        mock.patch.object(Session, "run", driving),
        mock.patch("subprocess.run", executing),
        mock.patch.object(cli, "main", typing),
    ):
        yield driven


def proofs(root: Path = TESTS) -> list[Proof]:
    """Return all proofs in the tests below `root`, by file and line; ValueError when a mark names no capability."""
    found: list[Proof] = []
    for path in sorted(root.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "mark.capability(" in source:
            found += _proofs_in(ast.parse(source), path.relative_to(root).as_posix())
    return found


def table() -> str:
    """Return the table of all capabilities as Markdown: a row each, the tests of either side, and who else saw it."""
    cells: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for proof in proofs():
        for column in (*proof.sides, *(("witness",) if proof.witness else ())):
            cells[proof.capability, column][proof.file] += 1
    lines = [
        "| capability | a run's client | its parts | emulator | with Google's software |",
        "|---|---|---|---|---|",
    ]
    for area, details in CAPABILITIES.items():
        for detail in details:
            name = f"{area}: {detail}"
            row = [_cell(cells[name, column]) for column in (*SIDES, "witness")]
            if name in DOCTOR_ONLY:
                row[0] = "the doctor only"
            lines.append(f"| **{area}**: {detail} | {' | '.join(row)} |")
    return "\n".join(lines)


def _cell(files: dict[str, int]) -> str:
    return (
        ", ".join(
            f"[{file.removesuffix('.py').replace('test_', '')}](../tests/{file})"
            + (f" × {count}" if count > 1 else "")
            for file, count in files.items()
        )
        or "–"
    )


def _proofs_in(module: ast.Module, file: str) -> Iterator[Proof]:
    shared = [
        mark
        for node in module.body
        if isinstance(node, ast.Assign)
        and any(isinstance(one, ast.Name) and one.id == "pytestmark" for one in node.targets)
        for mark in (node.value.elts if isinstance(node.value, ast.List) else [node.value])
    ]
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith(
            "test_"
        ):
            marks = [*shared, *node.decorator_list]
            witness = any(ast.unparse(mark).endswith("mark.witness") for mark in marks)
            for mark in marks:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith(
                    "mark.capability"
                ):
                    yield _proof(mark, file, node.name, witness=witness)


def _proof(mark: ast.Call, file: str, test: str, *, witness: bool) -> Proof:
    capability = ast.literal_eval(mark.args[0])
    named = {word.arg: ast.literal_eval(word.value) for word in mark.keywords}
    sides = tuple(named.pop("side", BOTH).split(" and "))
    area, _, detail = capability.partition(": ")
    if detail not in CAPABILITIES.get(area, ()) or named or not set(sides) <= set(SIDES):
        raise ValueError(f"tests/{file}, {test}: no such capability: {ast.unparse(mark)}")
    return Proof(capability=capability, sides=sides, file=file, test=test, witness=witness)
