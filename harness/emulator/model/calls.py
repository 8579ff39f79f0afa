"""The functions that a session's model has called, until their answers come.

Knows ids, names and behaviours; does not know what is said, nor when.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.wire.live.messages import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.emulator.model.answers import Answer, Scheduling
    from harness.wire.live.catalogue import Model
    from harness.wire.live.messages import FunctionResponse
    from harness.wire.live.tools import Tool

_WRAPPERS: Final = ("output", "result")
"""By convention a response's fields stand in one of these."""


@dataclass(slots=True, kw_only=True, eq=False)
class Pending:
    """A call whose answer has not come."""

    call: FunctionCall
    answer: Answer
    """What the call is part of."""

    blocking: bool
    """The model says nothing before the response."""

    response: asyncio.Future[FunctionResponse] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def scheduling(self, response: FunctionResponse) -> Scheduling:
        """Return when a response that nobody waited for is spoken of; when idle, unless the client says otherwise (SDK)."""
        asked = response.scheduling or (self.answer.call and self.answer.call.scheduling)
        match asked:
            case "INTERRUPT" | "SILENT":
                return asked
            case _:
                return "WHEN_IDLE"


class Calls:
    """The calls of one session."""

    def __init__(self, model: Model, *, named: bool) -> None:
        """Begin without a function; `named`: calls carry no ids and are told apart by their names."""
        self._default = model.function_behavior
        self._behaviours: dict[str, str] = {}
        self._named = named
        self._pending: list[Pending] = []
        self._count = 0

    def declare(self, tools: list[Tool]) -> None:
        """Know the functions of `tools` and no others; calls of those before are still answered."""
        self._behaviours = {
            one.name: one.behavior or self._default
            for tool in tools
            for one in tool.function_declarations
        }

    @property
    def waiting(self) -> bool:
        """Return whether an answer is still to come."""
        return bool(self._pending)

    def open(self, answer: Answer) -> Pending:
        """Return the call that `answer` makes, which has one and of a declared function."""
        assert answer.call is not None  # noqa: S101 - the caller has looked
        self._count += 1
        call = FunctionCall(
            id=None if self._named else f"function-call-{self._count}",
            name=answer.call.name,
            args=answer.call.args,
        )
        blocking = self._behaviours[call.name] != "NON_BLOCKING"
        pending = Pending(call=call, answer=answer, blocking=blocking)
        self._pending.append(pending)
        return pending

    def answered(self, response: FunctionResponse) -> Pending | None:
        """Return the call that `response` answers, by id, or by name where there is none; None: nobody waits for it."""
        for pending in self._pending:
            call = pending.call
            if response.id == call.id if response.id else response.name == call.name:
                if not response.will_continue:
                    self._pending.remove(pending)
                return pending
        return None

    def cancel(self, of: list[Pending]) -> list[str]:
        """Forget those of these calls that still wait; return their ids, the names of those that have none."""
        gone = [one for one in of if one in self._pending]
        for one in gone:
            self._pending.remove(one)
        return [one.call.id or one.call.name for one in gone]


def fields(response: FunctionResponse) -> dict[str, Any]:
    """Return what an answer can quote of a response by name: its fields, and those below `output` or `result`."""
    found: dict[str, Any] = {}
    for wrapper in _WRAPPERS:
        inner = response.response.get(wrapper)
        if isinstance(inner, dict):
            found |= inner
    return found | response.response


def text(found: Mapping[str, Any]) -> str:
    """Return what a tool found as the model reads it."""
    return json.dumps(found, ensure_ascii=False)
