"""Names and paths of datasets: what is found, in which order, and what is said when nothing is."""

import io
import json
import os
import tarfile
import zipfile

import pytest

from harness.corpus.shelf import located, open_dataset, shelf
from harness.errors import InputError, UsageError


@pytest.fixture
def place(tmp_path, monkeypatch, wav):
    """Give a function that puts a dataset of one utterance somewhere, from an empty current folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def put(folder, name, title="Title", **more):
        folder = tmp_path / folder
        wav(folder / "a.wav")
        facts = {"name": name, "title": title, "layout": "jsonl", **more}
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in facts.items())
        (folder / "recipe.toml").write_text(text, encoding="utf-8")
        row = {"audio_filepath": "a.wav", "text": "hi", "locale": "en-US"}
        (folder / "manifest.jsonl").write_text(json.dumps(row), encoding="utf-8")
        return folder

    return put


def test_the_first_of_a_name_counts(place, tmp_path, monkeypatch):
    """$HARNESS_DATASETS comes before ./datasets, and that before the bundled ones."""
    place("one/a", "x", "from one")
    place("two/b", "x", "from two")
    place("here/datasets/c", "x", "from here")
    place("here/datasets/d", "sample", "my own sample")
    assert "from here" == open_dataset("x").title
    monkeypatch.setenv(
        "HARNESS_DATASETS", os.pathsep.join([str(tmp_path / "two"), "", str(tmp_path / "one")])
    )
    assert "from two" == open_dataset("x").title
    assert "my own sample" == open_dataset("sample").title
    assert ["ask", "sample", "speak", "voices", "x"] == [recipe.name for recipe in shelf().recipes]


def test_a_broken_recipe_is_told_and_hides_no_other(place):
    """The shelf goes on after a recipe that cannot be read."""
    place("here/datasets/a", "a", bogus=1)
    place("here/datasets/b", "b")
    found = shelf()
    assert "b" in [recipe.name for recipe in found.recipes]
    [fault] = found.faults
    assert fault.where.endswith("datasets/a/recipe.toml")
    assert "bogus" in fault.what


def test_an_archive_is_named_and_never_opened(tmp_path, monkeypatch):
    """A tar file with members that lead out, and a bomb, are refused with what to do; nothing is unpacked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    row = b'{"audio_filepath": "a.wav", "text": "hi", "locale": "en-US"}'
    with tarfile.open("folder/evil.tar.gz", "w:gz") as archive:
        for name in ("../../out.jsonl", str(tmp_path / "absolute.jsonl"), "manifest.jsonl"):
            member = tarfile.TarInfo(name)
            member.size = len(row)
            archive.addfile(member, io.BytesIO(row))
    with zipfile.ZipFile("folder/bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.jsonl", bytes(50_000_000))
    for name in ("evil.tar.gz", "bomb.zip"):
        with pytest.raises(InputError, match=r"is not a manifest(?s:.*)no archive is opened"):
            open_dataset(f"folder/{name}")
    with pytest.raises(InputError, match="no dataset is recognised"):
        open_dataset("folder")
    found = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert ["bomb.zip", "evil.tar.gz"] == sorted(found)


def test_a_recipe_s_facts_are_the_dataset_s(place):
    """Synthetic speech stays synthetic by whatever path its dataset is opened."""
    folder = place("here/mine", "v", licence="CC0-1.0", synthetic=True, locale="de")
    for text in (str(folder), "mine", f"{folder}/recipe.toml", "mine/manifest.jsonl"):
        dataset = open_dataset(text)
        assert ("v", True, "CC0-1.0", folder.resolve()) == (
            *(dataset.name, dataset.synthetic, dataset.licence, dataset.root),
        )
    assert ["a.wav"] == [u.id for u in dataset.utterances]
    assert {"v"} == {u.dataset for u in dataset.utterances}


@pytest.mark.parametrize(
    "text, name",
    [("data/manifest.jsonl", "data"), ("data", "data"), ("data/clean test.jsonl", "clean-test")],
)
def test_a_path_without_a_recipe_is_named_after_itself(place, tmp_path, text, name):
    """The name can be typed and put into file names."""
    folder = place("here/data", "x")
    (folder / "recipe.toml").unlink()
    (folder / "clean test.jsonl").write_bytes((folder / "manifest.jsonl").read_bytes())
    assert name == open_dataset(text).name


def test_faults_stand_one_below_the_other(tmp_path, wav):
    """What makes a dataset unusable is told line by line, each indented alike."""
    for name in "abcde":
        wav(tmp_path / "rec" / f"{name}.wav")
    with pytest.raises(InputError) as caught:
        open_dataset(str(tmp_path / "rec"))
    _, *told, hint = str(caught.value).splitlines()
    assert 4 == len(told)
    assert all(line[2] != " " and line.startswith("  ") for line in told), told
    assert "  … and 2 more" == told[-1]
    assert "check" in hint


def test_a_name_that_resolves_to_nothing_is_a_usage_error():
    """The nearest names are offered, and those there are listed."""
    with pytest.raises(UsageError) as caught:
        open_dataset("sampel")
    assert "“sample”" in str(caught.value)
    assert "voices" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "./nothing", "no/such.jsonl", "x" * 5_000, "a\0b", "~nobody/x"]
)
def test_no_typed_name_is_a_bug_of_ours(text):
    """Whatever is typed, a UsageError says that there is no such dataset."""
    with pytest.raises(UsageError, match="no dataset"):
        located(text)


@pytest.mark.parametrize(
    "make, what",
    [
        (lambda path: path.mkdir(), "no dataset is recognised"),
        (lambda path: path.write_text("hello", encoding="utf-8"), "is not a manifest"),
    ],
)
def test_a_path_that_holds_no_dataset_is_an_input_error(tmp_path, make, what):
    """An empty folder and a file of another kind are content, not typing."""
    make(tmp_path / "x.txt")
    with pytest.raises(InputError, match=what):
        open_dataset(str(tmp_path / "x.txt"))


def test_an_audio_file_is_told_to_be_one(tmp_path, wav):
    """The message says to name its folder."""
    with pytest.raises(InputError, match="name the folder it is in"):
        open_dataset(str(wav(tmp_path / "a.wav")))


def test_a_spreadsheet_is_told_to_be_saved_as_csv(tmp_path):
    """The message says what to do with it."""
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(InputError, match=r"is not a manifest(?s:.*)save the sheet as CSV"):
        open_dataset(str(tmp_path / "a.xlsx"))


def test_audio_is_not_opened(place):
    """A dataset opens without its audio: a missing clip is a row of the run, not a hole in it."""
    folder = place("here/data", "x")
    (folder / "a.wav").unlink()
    assert 1 == len(open_dataset("data").utterances)
    assert () == open_dataset("data").faults


def test_audio_root_opens_one_folder_more(place, tmp_path, wav):
    """What the recipe opens may be used; what lies beside it may not."""
    wav(tmp_path / "store" / "b.wav")
    wav(tmp_path / "other" / "c.wav")
    folder = place("here/data", "x", audio_root="../../store")
    rows = [
        {"audio_filepath": path, "text": f"to {path}", "locale": "en-US"}
        for path in ("../../store/b.wav", "../../other/c.wav", str(tmp_path / "store" / "b.wav"))
    ]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    dataset = open_dataset("data")
    assert [("manifest.jsonl", 2)] == [(fault.where, fault.line) for fault in dataset.faults]
    assert 2 == len(dataset.utterances)


def test_columns_are_mapped(place):
    """A recipe reads a manifest whose columns go by other names, even by names of ours."""
    folder = place("here/data", "x")
    (folder / "recipe.toml").write_text(
        'name = "x"\ntitle = "X"\nlayout = "tsv"\n[columns]\ntext = "path"\naudio_filepath = "klang"\n'
        'locale = "Sprache"\n',
        encoding="utf-8",
    )
    (folder / "manifest.tsv").write_text(
        "klang\tpath\tSprache\na.wav\thallo\tde-DE\n", encoding="utf-8"
    )
    [utterance] = open_dataset("data").utterances
    assert ("hallo", "de-DE", {}) == (utterance.reference, utterance.locale, utterance.tags)
