"""Death at any step of a run, and a disk that fills at any step: the same command goes on, nothing lost or counted twice."""

from __future__ import annotations

import shutil

import pytest

from harness.errors import InputError
from harness.run import ledger
from harness.run.folder import begun
from tests.run.crash import death, planned, points, sitting, tables, undisturbed
from tests.run.disk import Disk


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """Give the steps of a run that nothing happens to, and its tables."""
    return undisturbed(tmp_path_factory.mktemp("quiet") / "run")


def test_a_run_that_dies_anywhere_is_continued_to_the_same_tables(tmp_path, quiet):
    """After death at any write, sync or rename, torn or whole, the same command ends with an undisturbed run's tables."""
    steps, whole = quiet
    # Every third step; `make chaos` goes through all of them, over and over.
    for n, (dies_at, torn) in enumerate(points(len(steps) // 3, len(steps) // 3, seed=1)):
        death(tmp_path / str(n), [dies_at[0] * 3, *dies_at[1:]], torn=torn, whole=whole)


def test_it_may_die_while_what_is_begun_is_written_anew(tmp_path, monkeypatch):
    """The same holds where the file of what is begun is written anew every few lines, at each step of that."""
    monkeypatch.setattr(ledger, "MOST_LINES", 4)
    steps, whole = undisturbed(tmp_path / "quiet")
    anew = [n for n, step in enumerate(steps) if "begun.jsonl.part" in step]
    assert {"write", "rename"} == {steps[n].split()[0] for n in anew}
    for n, dies_at in enumerate(anew[:4]):
        for torn in (0.5, 1.0):
            death(tmp_path / f"{n}-{torn}", [dies_at, 3], torn=torn, whole=whole)


def test_the_points_of_death_are_all_kinds_of_steps(quiet):
    """A run writes, syncs, renames and makes folders; so a death at each of its steps is a death at each of these."""
    steps, _ = quiet
    kinds = {" ".join(step.split()[:1]) for step in steps}
    assert {"write", "sync", "rename", "mkdir"} <= kinds
    assert {
        "write begun.jsonl",
        "write journal.jsonl",
        "rename plan.json.part",
        "rename report.html.part",
    } <= set(steps)


def test_a_plan_is_on_the_disk_before_it_has_its_name(quiet):
    """What a power cut leaves of a plan is all or nothing: it is synced before it is renamed, and before anything is begun."""
    steps, _ = quiet
    named = steps.index("rename plan.json.part")
    assert ["write plan.json.part", "sync file"] == steps[named - 2 : named]
    assert named < steps.index("write begun.jsonl")


@pytest.mark.parametrize("torn", [0.0, 0.5])
def test_a_disk_that_fills_anywhere_is_named(tmp_path, quiet, torn):
    """Whatever step finds the disk full, the run ends with an error about the place, and the same command goes on."""
    steps, whole = quiet
    needs_room = [n for n, step in enumerate(steps) if step.startswith(("write", "mkdir"))]
    assert "write certificate.jsonl.part" in steps
    for full_at in needs_room[int(4 * torn) :: 5]:
        folder = tmp_path / str(full_at)
        disk = Disk(folder, full_at=full_at, torn=torn)
        with disk.watched(), pytest.raises(InputError, match="No space left"):
            sitting(planned(1), folder, 3)
        sitting(planned(1), folder, 3)
        assert whole == tables(folder)
        shutil.rmtree(folder)


def test_a_folder_of_something_else_is_no_run_to_continue(tmp_path):
    """Half a plan is what a killed run leaves; any other file is somebody's."""
    (tmp_path / "plan.json.part").write_bytes(b"{")
    assert not begun(tmp_path)
    (tmp_path / "letter.txt").write_bytes(b"")
    assert begun(tmp_path)
