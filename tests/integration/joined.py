"""The client joined to the emulator in memory, with its connections remembered."""

from __future__ import annotations

from harness.cli import joined
from harness.cli.joined import Joint

__all__ = ["Emulator", "Joint"]


class Emulator(joined.Emulator):
    """An emulator in memory that remembers every connection."""

    def __init__(self, ear, manners=None) -> None:
        super().__init__(ear, manners)
        self.joints: list[Joint] = []

    async def connect(self, endpoint, listener):
        joint = await super().connect(endpoint, listener)
        self.joints.append(joint)
        return joint
