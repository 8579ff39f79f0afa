"""Whatever a manifest or a journal holds, what is usable is used, everything else is named, and nothing else is raised."""

from __future__ import annotations

import random

import msgspec
import pytest

from tests.corpus.hostile import (
    LAYOUTS,
    fence_of,
    journal_bytes,
    journal_judged,
    judged,
    manifest_bytes,
)
from tests.run.test_journal import entry


@pytest.fixture
def folder(tmp_path):
    """Give a dataset's folder with a pipe and a link that leads out."""
    made = tmp_path / "dataset"
    made.mkdir()
    fence_of(made)
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_manifest_is_used_as_far_as_it_can_be(folder, layout):
    """Of four hundred hostile manifests every line is an utterance inside the folder or a fault that can be printed."""
    rng = random.Random(layout)  # noqa: S311 - repeatable
    found = [judged(folder, layout, manifest_bytes(rng, layout)) for _ in range(400)]
    assert any(usable for usable, _ in found), "some of them had something usable"
    assert any(faults for _, faults in found)


def test_any_journal_is_read_or_named(tmp_path):
    """Of a thousand damaged journals every one is read as far as it is whole, or its bad line is named."""
    whole = b"".join(msgspec.json.encode(entry(n)) + b"\n" for n in range(5))
    rng = random.Random(1)  # noqa: S311 - repeatable
    found = [journal_judged(tmp_path, journal_bytes(rng, whole)) for _ in range(1000)]
    assert None in found
    assert any(found)


def test_the_same_seed_makes_the_same_manifest():
    """What went wrong can be done again from its seed."""
    once, again = (manifest_bytes(random.Random(7), "csv") for _ in range(2))  # noqa: S311 - repeatable
    assert once == again
