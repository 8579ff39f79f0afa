"""What a streaming process needs of the world: setups with the model's resource name, endpoints, clips.

The same for the process that was started by hand and for those that it starts itself: all is made from the plan, the
address, and the environment, which alone holds credentials.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.audio.cache import conversions
from harness.errors import InputError
from harness.session.config import endpoints
from harness.wire.live.codec import message_from
from harness.wire.live.messages import Setup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from harness.audio.clip import AudioClip
    from harness.run.record import Plan, PlannedUtterance
    from harness.wire.live.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What sessions are made with."""

    setups: Mapping[str, Setup]
    """By model, as they are sent."""

    endpoint: Callable[[], Endpoint]
    load: Callable[[PlannedUtterance], AudioClip]

    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when clips are not wanted any more: hours of audio need not be converted to their end."""


def access(
    plan: Plan,
    *,
    service: Any,
    url: str | None,
    version: str | None,
    environment: Mapping[str, str],
) -> Access:
    """Return the access to `service`, at `url` if given; errors as `harness.session.config.endpoints`."""
    given = endpoints(service, url, environment, version=version)
    converted = conversions(environment).clip
    stopped = threading.Event()

    def load(utterance: PlannedUtterance) -> AudioClip:
        if utterance.audio is None:
            raise InputError(f"{utterance.id}: it has no audio")
        return converted(
            Path(utterance.audio),
            sha256=utterance.sha256,
            offset_s=utterance.offset_s,
            duration_s=utterance.duration_s,
            stopped=stopped.is_set,
        )

    setups = {
        name: msgspec.structs.replace(
            message_from(plan.setups[name], Setup), model=given().model_name(name)
        )
        for name in plan.models
    }
    return Access(setups=setups, endpoint=given, load=load, stopped=stopped)
