"""`Scenario`: what an item brings along beside its words: history, functions, pictures, and what is expected of the answer.

A manifest writes it in four columns, each of which may be missing (in CSV a cell holds the JSON):

- `expect`: an object; all that it holds must hold. `contains`: a text, or a list of texts, that the answer has;
  `number`: a number that it names, to within `tolerance`; `tool`: a call, `{"name", "args"}`, where `args` lists the
  arguments that count; `silence`: true when no answer is the right answer.
- `tools`: a list of functions the model may call: `name`, `description`, `parameters` (a schema), `behavior`
  (`BLOCKING`, `NON_BLOCKING`), and how a call is answered: `response` (an object), `after_s`, `scheduling`.
- `context`: a list of turns that went before, `{"role": "user" or "model", "text"}`.
- `images`: a list of JPEG or PNG files, videos, or folders of these, relative to the manifest, shown before the question
  in this order.

Knows one item's columns; does not know which task asks for them, nor how an answer is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from harness.audio.pictures import VIDEOS
from harness.units import Seconds

COLUMNS: Final = ("expect", "tools", "context", "images")

SHOWN: Final = (".jpeg", ".jpg", ".png", *VIDEOS)
"""How the names of pictures and videos end, in lower case."""

LONGEST_CALL_S: Final[Seconds] = 600.0
"""Longest wait for a call's answer, s: a session lives for some minutes."""


class _Object(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object of a manifest: a key we do not know is a mistake."""


class ExpectedCall(_Object, frozen=True, kw_only=True):
    """A call that the model should make."""

    name: str
    args: dict[str, Any] = {}
    """Arguments that must be given so; the call may have others."""


class Expectation(_Object, frozen=True, kw_only=True):
    """What the answer should be: everything that is set must hold."""

    contains: str | list[str] = []
    """Texts that the answer has, each of them."""

    number: float | None = None
    """A number that the answer names; None: none is asked for."""

    tolerance: float = 0.0
    """How far from `number` is near enough."""

    tool: ExpectedCall | None = None
    silence: bool = False
    """True: no answer is the right answer."""

    @property
    def texts(self) -> list[str]:
        """Return what the answer must contain."""
        return [self.contains] if isinstance(self.contains, str) else self.contains

    @property
    def kind(self) -> str:
        """Return what is expected, in a word or two: `contains`, `number`, `tool`, `silence`, `tool + contains`."""
        asked = {
            "silence": self.silence,
            "tool": self.tool is not None,
            "number": self.number is not None,
            "contains": bool(self.texts),
        }
        return " + ".join(name for name, wanted in asked.items() if wanted)


class OfferedFunction(_Object, frozen=True, kw_only=True):
    """A function the model may call, and how the call is answered."""

    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None
    """Schema in OpenAPI's subset; type names in upper case."""

    behavior: Literal["BLOCKING", "NON_BLOCKING"] | None = None
    """None: the model's default."""

    response: dict[str, Any] = {}
    """By convention `{"output": …}` or `{"error": …}`; empty: it gives nothing back."""

    after_s: Seconds = 0.0
    """From the call to its answer, s; 0 to `LONGEST_CALL_S`."""

    scheduling: Literal["INTERRUPT", "WHEN_IDLE", "SILENT"] | None = None
    """When the model takes the answer up; of functions that do not block only."""


class Said(_Object, frozen=True, kw_only=True):
    """A turn that went before."""

    role: Literal["user", "model"]
    text: str


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What an item brings along; whatever its manifest does not say is empty."""

    expect: Expectation | None = None
    tools: list[OfferedFunction] = []
    context: list[Said] = []
    images: list[str] = []
    """Absolute paths of pictures and videos; a folder stands as its files."""

    flaw: str | None = None
    """What is wrong with the columns, so that the item cannot be asked, in words; None: nothing."""


def scenario(
    cells: Mapping[str, Any], pictures: Callable[[str], list[Path] | str]
) -> Scenario | None:
    """Return what the `COLUMNS` among `cells` say, a scenario with a flaw and nothing else when they say it wrong.

    None: there are none of them. `pictures` gives the files that an image names, or in words why there are none.
    """
    found = {name: cells[name] for name in COLUMNS if cells.get(name) not in (None, "", [])}
    if not found:
        return None
    try:
        return _checked(
            Scenario(
                expect=_read(found, "expect", Expectation | None),
                tools=_read(found, "tools", list[OfferedFunction] | None) or [],
                context=_read(found, "context", list[Said] | None) or [],
                images=[
                    image
                    for name in _read(found, "images", list[str] | None) or []
                    for image in _images(name, pictures)
                ],
            )
        )
    except ValueError as error:
        return Scenario(flaw=str(error))


def written(given: Scenario, folder: Path) -> dict[str, Any]:
    """Return the columns that say `given` in a manifest in `folder`; what is empty is left out."""
    import os

    cells: dict[str, Any] = {}
    if given.expect is not None:
        cells["expect"] = _sparse(given.expect)
    if given.tools:
        cells["tools"] = [_sparse(tool) for tool in given.tools]
    if given.context:
        cells["context"] = [_sparse(turn) for turn in given.context]
    if given.images:
        cells["images"] = [
            os.path.relpath(image, folder).replace(os.sep, "/") for image in given.images
        ]
    return cells


def _sparse(value: msgspec.Struct) -> dict[str, Any]:
    """Return a struct as JSON without what has its default."""
    kind = type(value)
    defaults = {field.name: field for field in msgspec.structs.fields(kind)}
    return {
        name: item
        for name, item in msgspec.to_builtins(value).items()
        if item != msgspec.to_builtins(_default(defaults[name]))
    }


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is msgspec.NODEFAULT else field.default


def _read(found: Mapping[str, Any], name: str, kind: Any) -> Any:
    cell = found.get(name)
    try:
        if isinstance(cell, str):  # a table's cell
            return msgspec.json.decode(cell, type=kind)
        return msgspec.convert(cell, kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"`{name}` is not what a task can use: {error}") from None


def _images(name: str, pictures: Callable[[str], list[Path] | str]) -> list[str]:
    paths = pictures(name)
    if isinstance(paths, str):
        raise ValueError(f"`images`: {paths}")  # noqa: TRY004 - a reason, not a wrong type
    for path in paths:
        if path.suffix.lower() not in SHOWN:
            raise ValueError(f"`images`: “{path.name}” is neither a JPEG nor a PNG, nor a video")
    return [str(path) for path in paths]


def _checked(found: Scenario) -> Scenario:
    """Return `found`; ValueError when its functions cannot be offered, or what it expects contradicts itself or is nothing."""
    names = [tool.name for tool in found.tools]
    for tool in found.tools:
        if not 0 <= tool.after_s <= LONGEST_CALL_S:
            raise ValueError(
                f"`tools`: “{tool.name}” is answered after_s = {tool.after_s:g}: "
                f"it should be 0 to {LONGEST_CALL_S:g} seconds"
            )
        if names.count(tool.name) > 1:
            raise ValueError(f"`tools` has more than one function “{tool.name}”")
    expect = found.expect
    if expect is None:
        return found
    if not expect.kind:
        raise ValueError("`expect` expects nothing: give contains, number, tool or silence")
    if expect.silence and expect.kind != "silence":
        raise ValueError("`expect` wants silence and an answer")
    if not all(expect.texts):
        raise ValueError("`expect`: every answer contains an empty text")
    if expect.tool is not None and expect.tool.name not in names:
        raise ValueError(f"`expect` wants a call of “{expect.tool.name}”, which `tools` lacks")
    return found
