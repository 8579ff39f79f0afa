"""What a session lets its model do besides answering: call functions, search, think, be silent.

Knows setups and models; does not know what is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.wire.live.catalogue import Model
    from harness.wire.live.messages import Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """A session's abilities."""

    functions: frozenset[str] = frozenset()
    """Names of the functions that are declared."""

    search: bool = False
    """It has Google Search."""

    silence: bool = False
    """It need not answer (proactive audio)."""

    thinking_tokens: int | None = 0
    """How long it may think; 0: not at all; None: as long as it likes."""

    shows_thoughts: bool = False
    """It tells what it thought."""


def abilities(setup: Setup, model: Model) -> Abilities:
    """Return what `setup`, which was taken, lets `model` do."""
    config = setup.generation_config.thinking_config if setup.generation_config else None
    budget = config.thinking_budget if config else None
    asked = setup.proactivity is not None and setup.proactivity.proactive_audio
    return Abilities(
        functions=frozenset(one.name for tool in setup.tools for one in tool.function_declarations),
        search=any(
            one is not None
            for tool in setup.tools
            for one in (tool.google_search, tool.google_search_retrieval)
        ),
        silence=asked or model.always_proactive,
        # Absent and -1 both mean that the model decides.
        thinking_tokens=(None if budget is None or budget < 0 else budget) if model.thinking else 0,
        shows_thoughts=config is not None and config.include_thoughts,
    )
