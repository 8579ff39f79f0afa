"""Recipes say what they mean, and every wrong key is named with the nearest right one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.corpus.recipe import read_recipe, recipe_text, usual_name
from harness.errors import InputError

WHOLE = 'name = "x"\ntitle = "X"\nlayout = "jsonl"\n'


@pytest.fixture
def recipe(tmp_path):
    """Give a function that writes a recipe and reads it."""

    def read(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return read_recipe(path)

    return read


def test_a_whole_recipe_is_read(recipe, tmp_path):
    """Every key has its place, the locale is canonical, and the folder is the recipe's."""
    read = recipe(
        WHOLE
        + 'manifest = "m.jsonl"\nlicence = "CC0-1.0"\nsource = "https://example.org/"\nsynthetic = true\n'
        'locale = "zh"\naudio_root = ".."\n[columns]\ntext = "transkript"\n'
    )
    assert (tmp_path.resolve(), "x", "X", "jsonl", "m.jsonl") == (
        *(read.folder, read.name, read.title, read.layout, read.manifest),
    )
    assert ("CC0-1.0", "https://example.org/", True) == (read.licence, read.source, read.synthetic)
    assert ("cmn-CN", "..", {"text": "transkript"}) == (read.locale, read.audio_root, read.columns)


@pytest.mark.parametrize(
    "layout, manifest",
    [("jsonl", "manifest.jsonl"), ("csv", "manifest.csv"), ("fleurs", "test.tsv"), ("folder", ".")],
)
def test_the_manifest_has_a_usual_place(recipe, layout, manifest):
    """A recipe that does not say means the usual file, or its folder."""
    assert manifest == recipe(WHOLE.replace("jsonl", layout)).manifest


@pytest.mark.parametrize(
    "text, what",
    [
        (WHOLE + 'lisence = "x"', "unknown key 'lisence'"),
        (WHOLE + 'lisence = "x"', "did you mean “licence”"),
        (WHOLE + 'folder = "/"', "unknown key 'folder'"),
        (WHOLE + "named_by_user = true", "unknown key 'named_by_user'"),
        (WHOLE.replace("jsonl", "json"), "did you mean “jsonl”"),
        (WHOLE.replace('"jsonl"', "3"), "unknown layout 3"),
        (WHOLE.replace('name = "x"', ""), "missing required field `name`"),
        (WHOLE.replace('layout = "jsonl"', ""), "missing required field `layout`"),
        (WHOLE.replace('"X"', "7"), "Expected `str`, got `int` at `title`"),
        (WHOLE + 'synthetic = "no"', "at `synthetic`"),
        (WHOLE.replace('"x"', '"a b"'), "cannot be typed"),
        (WHOLE.replace('"x"', '"../x"'), "cannot be typed"),
        (WHOLE + 'manifest = "../m.jsonl"', "leaves the dataset's folder"),
        (WHOLE + 'locale = "xx"', "unknown locale “xx”"),
        (WHOLE + '[columns]\ntxt = "a"', "did you mean “text”"),
        (
            WHOLE.replace("jsonl", "fleurs") + '[columns]\ntext = "a"',
            "has no meaning for the layout",
        ),
        ("name = ", "not TOML"),
        ("name = '\udcff'", "not UTF-8"),
    ],
)
def test_a_wrong_recipe_names_the_file_and_the_key(tmp_path, text, what):
    """Each mistake is an InputError that says what to write instead."""
    path = tmp_path / "recipe.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert what in str(caught.value)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_recipe_reads_back_as_it_was_written(tmp_path_factory, text):
    """Any title survives TOML."""
    path = tmp_path_factory.mktemp("law") / "recipe.toml"
    facts = {
        "name": usual_name(text),
        "title": text,
        "layout": "jsonl",
        "licence": None,
        "synthetic": True,
    }
    path.write_text(recipe_text(facts), encoding="utf-8", newline="")
    recipe = read_recipe(path)
    assert (usual_name(text), text, None, True) == (
        *(recipe.name, recipe.title, recipe.licence, recipe.synthetic),
    )
