"""What utterances have in common: who speaks, the recording or the sentence; and which cells have the same clips.

Intervals draw blocks of utterances, tests flip them, and a macro average counts a test set once. Knows what utterances
are labelled with; does not know counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping

    from harness.run.record import Plan, PlannedUtterance

Block: TypeAlias = "tuple[Literal['speaker', 'recording', 'sentence', 'utterance'], str]"
"""What utterances move together by, and which of its kind."""

Clip: TypeAlias = "tuple[str, float]"
"""Audio file, by its content or its path, and where in it the clip begins, s."""

Place = TypeVar("Place", bound="Hashable")


def block(
    *, speaker: str | None, recording: str | None, reference: str | None, utterance: str
) -> Block:
    """Return what an utterance moves together with.

    That is its speaker; where nobody says who speaks, the recording that it shares with others; else the sentence, which
    several people may have read (as in FLEURS); an utterance without words stands alone.
    """
    if speaker:
        return "speaker", speaker
    if recording:
        return "recording", recording
    if reference and not reference.isspace():
        return "sentence", reference
    return "utterance", utterance


def kinds(blocks: Iterable[Block]) -> str:
    """Return what blocks are, in words: `speaker`, `recording`, `speaker or sentence`."""
    return " or ".join(dict.fromkeys(kind for kind, _ in blocks))


def recordings(clips: Iterable[Clip]) -> set[str]:
    """Return the files that several clips are cut from."""
    first: dict[str, float] = {}
    return {file for file, start_s in clips if first.setdefault(file, start_s) != start_s}


class Kin:
    """What the utterances of a plan share."""

    def __init__(self, plan: Plan) -> None:
        clips: dict[tuple[str, str], set[Clip]] = {}
        for one in plan.utterances:
            if one.sha256 is not None:
                clip = (one.sha256, one.offset_s)
                clips.setdefault((one.dataset, one.locale), set()).add(clip)
        self._recordings = recordings(filter(None, map(_clip, plan.utterances)))
        self.twins: dict[tuple[str, str], str] = {}
        """Dataset and locale → the first locale of the dataset that shares clips with it, where there is one before it."""
        for dataset in dict.fromkeys(dataset for dataset, _ in clips):
            own = {locale: found for (name, locale), found in clips.items() if name == dataset}
            pairs = test_sets(own).items()
            self.twins |= {(dataset, one): first for one, first in pairs if one != first}

    def recording(self, utterance: PlannedUtterance) -> str | None:
        """Return the file that other utterances are cut from too; None: this one has a file of its own, or none."""
        clip = _clip(utterance)
        return clip[0] if clip and clip[0] in self._recordings else None

    def twin(self, utterance: PlannedUtterance) -> str | None:
        """Return the locale whose clips an utterance's locale shares; None: there is none before it."""
        return self.twins.get((utterance.dataset, utterance.locale))


def _clip(utterance: PlannedUtterance) -> Clip | None:
    if utterance.audio is None:
        return None
    return utterance.sha256 or utterance.audio, utterance.offset_s


def test_sets(clips: Mapping[Place, Collection[Clip]]) -> dict[Place, Place]:
    """Return for every place (a locale, a dataset's locale) the first one that shares a clip with it, or itself.

    Places that share clips with the same place are one test set, even where they share none with each other.
    """
    sets = {place: place for place in clips}
    owner: dict[Clip, Place] = {}
    for place, own in clips.items():
        for clip in own:
            one, other = sets[owner.setdefault(clip, place)], sets[place]
            if one != other:
                order = list(clips)
                first, joined = sorted((one, other), key=order.index)
                sets = {key: first if value == joined else value for key, value in sets.items()}
    return sets
