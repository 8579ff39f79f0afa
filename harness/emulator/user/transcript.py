"""What the user said, as it is told: fragment by fragment, whole, or as hypotheses that replace each other.

Conversational models give fragments as they are heard; a later one (3.1) a single record when the turn is over;
dedicated transcription models tell what they take the turn for so far, anew each time, and give the whole in the end,
word for word or, in the mode SMART, as it was meant.
Knows texts and models; does not know sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.emulator.user.tidy import tidied
from harness.wire.live.messages import ServerContent, Transcription

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.wire.live.catalogue import Model
    from harness.wire.live.messages import Setup


class Transcript:
    """One session's input transcription."""

    def __init__(
        self,
        setup: Setup,
        model: Model,
        send: Callable[[ServerContent], None],
        *,
        heard: str = "",
    ) -> None:
        """Go on with a turn of which `heard` was heard before."""
        self._told = setup.input_audio_transcription is not None or model.transcribes_always
        self._style = model.transcription
        config = setup.input_audio_transcription
        self._smart = config is not None and config.mode == "SMART"
        self._send = send
        self.heard = heard
        """Of the turn, not yet told for good."""

    def add(self, fragment: str) -> None:
        """Tell of more that was heard."""
        if not self._told:
            return
        self.heard += fragment
        match self._style:
            case "fragments":
                self._send(ServerContent(input_transcription=Transcription(text=fragment)))
            case "interim":
                guess = Transcription(text=self.heard)
                self._send(ServerContent(interim_input_transcription=guess))
            case "whole":
                pass

    def end(self, language: str | None) -> None:
        """Tell what the turn was, where that was not told already; `language` (ISO 639-1) is the one it was in."""
        heard, self.heard = self.heard, ""
        if heard and self._style != "fragments":
            if self._smart:
                heard = tidied(heard, language)
            # Only these models' transcriptions name a language (SDK).
            whole = Transcription(text=heard, language_code=language)
            self._send(ServerContent(input_transcription=whole))
