"""`harness languages` prints the registry, for people and for scripts."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.languages import command
from harness.text.locales import LOCALES, SETS


def run(*args):
    """Return the output of the command, which ends with 0."""
    result = CliRunner().invoke(command, args)
    assert 0 == result.exit_code, result.output
    return result.stdout


@pytest.mark.parametrize("name", [None, *SETS])
def test_the_table_has_a_line_per_locale(name):
    """A header, then each locale of the set once, in at most 80 columns."""
    head, *lines = run(*(["--set", name] if name else [])).splitlines()
    assert list(SETS[name] if name else LOCALES) == [line.split()[0] for line in lines]
    assert head.startswith("CODE")
    assert 80 >= max(len(line) for line in lines)


def test_json_is_one_document_with_every_field():
    """What the guide does not say is null, and nothing is lost to an encoding."""
    rows = json.loads(run("--json"))
    assert list(LOCALES) == [row["code"] for row in rows]
    by_code = {row["code"]: row for row in rows}
    assert by_code["ro-RO"]["native_audio"] is None
    assert ("日本語", "CERns", "ja_jp", "ja") == tuple(
        by_code["ja-JP"][key] for key in ("native", "metric", "fleurs", "common_voice")
    )


def test_an_unknown_set_is_a_usage_error():
    """The sets there are are named."""
    result = CliRunner().invoke(command, ["--set", "all"])
    assert 2 == result.exit_code
    assert "native-audio" in result.stderr
