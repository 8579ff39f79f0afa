"""What is taken in passes its own check, and says the same as where it came from."""

import shutil
from pathlib import Path

import msgspec
import pytest

from harness.corpus.check import check
from harness.corpus.intake import take_in
from harness.corpus.layout import recognised
from harness.corpus.shelf import open_dataset
from harness.errors import InputError, UsageError


@pytest.fixture
def tree(tmp_path, wav):
    """Give a function that lays out two utterances in any layout and returns what to name."""

    def lay(layout):
        top = tmp_path / "src" / "de_de"
        head = "audio\ttext\tlocale\tmood\n"
        rows = [("a.wav", "eins"), ("b.wav", "zwei")]
        body = "".join(f"audio/{name}\t{text}\tde-DE\tcalm\n" for name, text in rows)
        files = {
            "jsonl": (
                "manifest.jsonl",
                "".join(
                    f'{{"audio": "audio/{name}", "text": "{text}", "lang": "de-DE"}}\n'
                    for name, text in rows
                ),
            ),
            "tsv": ("manifest.tsv", head + body),
            "csv": ("manifest.csv", (head + body).replace("\t", ",")),
            "common-voice": (
                "test.tsv",
                "client_id\tpath\tsentence\tlocale\n"
                + "".join(f"s\t{name}\t{text}\tde-DE\n" for name, text in rows),
            ),
            "fleurs": (
                "test.tsv",
                "".join(
                    f"{i}\t{name}\t{text}\t{text}\tx\t3200\tMALE\n"
                    for i, (name, text) in enumerate(rows)
                ),
            ),
        }
        where = {"common-voice": "clips", "librispeech": "1/2", "folder": "."}.get(layout, "audio")
        for name, text in rows:
            wav(top / where / name)
            if layout == "folder":
                (top / name).with_suffix(".txt").write_text(text, encoding="utf-8")
        if layout == "librispeech":
            (top / where / "1-2.trans.txt").write_text("a eins\nb zwei\n", encoding="utf-8")
        if layout in files:
            name, text = files[layout]
            (top / name).write_text(text, encoding="utf-8")
        return top

    return lay


LAYOUTS = ["jsonl", "csv", "tsv", "folder", "librispeech", "common-voice", "fleurs"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_recognised(tree, layout):
    """A folder is taken for what it is."""
    assert layout == recognised(tree(layout))[0]


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_taken_in_is_the_same_and_passes_its_check(tree, tmp_path, layout, copy):
    """Ids, references, locales and tags are those of the source; with --copy the source may go."""
    source = tree(layout)
    before = open_dataset(str(source), locale="de-DE")
    target = tmp_path / "datasets" / "new one"
    intake = take_in(layout, source, target, copy=copy, locale="de-DE")
    if copy:
        shutil.rmtree(source)
    assert [] == [fault for fault in check(str(target)) if not fault.warning]
    after = open_dataset(str(target))
    assert ("new-one", 2) == (after.name, intake.utterances)

    def said(dataset):
        replace = msgspec.structs.replace
        return [replace(u, dataset="", audio=Path(u.audio.name)) for u in dataset.utterances]

    assert said(before) == said(after)
    assert copy == all(u.audio.is_relative_to(target.resolve()) for u in after.utterances)


def test_a_dataset_can_be_taken_in_where_it_is(tree):
    """With DEST the folder itself, paths stay inside and no other folder is opened."""
    source = tree("folder")
    take_in("folder", source, source)
    assert "audio_root" not in (source / "recipe.toml").read_text(encoding="utf-8")
    assert [] == list(check(str(source)))


def test_nothing_is_overwritten(tree, tmp_path):
    """A second time is an InputError before anything is written."""
    source = tree("folder")
    take_in("folder", source, tmp_path / "d")
    before = {path: path.read_bytes() for path in (tmp_path / "d").iterdir()}
    with pytest.raises(InputError, match="not overwritten"):
        take_in("folder", source, tmp_path / "d", copy=True)
    assert before == {path: path.read_bytes() for path in (tmp_path / "d").iterdir()}


def test_what_cannot_be_used_is_told_and_left_out(tree, tmp_path):
    """One clip without sound does not lose the others."""
    source = tree("folder")
    (source / "a.wav").write_bytes(b"")
    intake = take_in("folder", source, tmp_path / "d")
    assert 1 == intake.utterances
    [fault] = intake.faults
    assert ("a.wav", False) == (fault.where, fault.warning)
    assert [] == list(check(str(tmp_path / "d")))


def test_facts_of_a_recipe_are_kept(tree, tmp_path):
    """Synthetic speech stays synthetic when it is taken in again."""
    source = tree("jsonl")
    (source / "recipe.toml").write_text(
        'name = "x"\ntitle = "Voices"\nlayout = "jsonl"\nlicence = "MIT"\nsynthetic = true\n',
        encoding="utf-8",
    )
    recipe = take_in("jsonl", source, tmp_path / "d").recipe
    assert ("d", "Voices", "MIT", True) == (
        recipe.name,
        recipe.title,
        recipe.licence,
        recipe.synthetic,
    )
    with pytest.raises(UsageError, match="its recipe says jsonl"):
        take_in("csv", source, tmp_path / "e")


def test_files_of_one_name_from_anywhere_are_kept_apart(tmp_path, wav):
    """Absolute paths of a manifest are copied under names that do not meet."""
    paths = [
        wav(tmp_path / folder / "a.wav", seconds=length)
        for folder, length in (("x", 0.1), ("y", 0.3))
    ]
    manifest = tmp_path / "m" / "test.jsonl"
    manifest.parent.mkdir()
    lines = [
        f'{{"audio_filepath": "{path}", "text": "t", "lang": "de-DE", "id": "{path.parent.name}"}}'
        for path in paths
    ]
    manifest.write_text("\n".join(lines), encoding="utf-8")
    take_in("jsonl", manifest, tmp_path / "d", copy=True)
    assert [path.read_bytes() for path in paths] == [
        u.audio.read_bytes() for u in open_dataset(str(tmp_path / "d")).utterances
    ]


def test_a_source_that_is_not_there_is_a_usage_error(tmp_path):
    """Typed wrong is exit 2; there and empty is exit 3."""
    with pytest.raises(UsageError):
        take_in("folder", tmp_path / "x", tmp_path / "d")
    (tmp_path / "x").mkdir()
    with pytest.raises(InputError, match="no usable utterance"):
        take_in("folder", tmp_path / "x", tmp_path / "d")
    assert not (tmp_path / "d").exists()
