"""Tables of pairs: what is read, and what is said about what cannot be."""

import msgspec
import pytest

from harness.errors import InputError, UsageError
from harness.report.pairs.load import read_pairs
from harness.report.pairs.pair import Pair


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table and reads it."""

    def read(name, content, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_pairs(path, **options)

    return read


WHOLE = Pair(
    id="u1", reference="a, b", hypothesis="a", locale="en-US", speaker="s", dataset="d", model="m", line=2
)  # fmt: skip


@pytest.mark.parametrize(
    "name, content",
    [
        ("t.csv", 'id,reference,hypothesis,locale,speaker,dataset,model\nu1,"a, b",a,en-US,s,d,m\n'),
        ("t.csv", '\ufeffutterance_id,text,hyp,lang,client_id,dataset,model\r\nu1,"a, b",a,en-US,s,d,m\r\n'),
        ("t.tsv", "id\treference\thypothesis\tlocale\tspeaker\tdataset\tmodel\nu1\ta, b\ta\ten-US\ts\td\tm\n"),
        ("t.jsonl", '\n{"id":"u1","reference":"a, b","hypothesis":"a","locale":"en-US","speaker":"s","dataset":"d","model":"m","other":1}\n'),
    ],
)  # fmt: skip
def test_every_layout_gives_the_same_pair(table, name, content):
    """A table is read the same in every layout, under any of a column's names."""
    assert [WHOLE] == table(name, content)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("above", ["", "sep={mark}\r\n", '\ufeff"SEP={mark}"\n\n', "\n"])
@pytest.mark.parametrize("quote", ["{}", '"{}"'])
def test_a_csv_is_read_however_a_spreadsheet_divides_it(table, mark, above, quote):
    """Commas, semicolons and tabs give the same pair, whatever stands in the cells; a line is what it is in the file."""
    above = above.format(mark=mark)
    heads = ["id", "reference", "hypothesis", "locale", "speaker", "dataset", "model"]
    cells = ["u1", "a, b; c\td", "a", "en-US", "s", "d", "m"]
    head = mark.join(quote.format(name) for name in heads)
    content = above + head + "\r\n" + mark.join(f'"{cell}"' for cell in cells) + "\r\n"
    [pair] = table("t.csv", content)
    line = above.count("\n") + 2
    assert msgspec.structs.replace(WHOLE, reference=cells[1], line=line) == pair


def test_a_semicolon_in_a_column_s_name_divides_nothing(table):
    """What the comma divides into the columns needed stays a CSV with commas."""
    [pair] = table("t.csv", "reference,hypothesis,locale,a;b;c\nx;y,x,en,tag\n")
    assert ("x;y", {"a;b;c": "tag"}) == (pair.reference, pair.tags)


def test_parquet_is_read(tmp_path):
    """Parquet gives the same pair."""
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    columns = {"id": ["u0", "u1"], "reference": ["x", "a, b"], "hypothesis": [None, "a"],
               "locale": ["en-US"] * 2, "speaker": ["s"] * 2, "dataset": ["d"] * 2, "model": ["m"] * 2}  # fmt: skip
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    pairs = read_pairs(tmp_path / "t.parquet")
    assert WHOLE == pairs[1]
    assert pairs[0].hypothesis is None


def test_trn_files_are_paired_by_id(tmp_path):
    """Two `trn` files are matched by the id at the end of each line, whose first part is the speaker."""
    (tmp_path / "r.trn").write_text(";; comment\nthe cat (ann-1)\nyes (bob_2)\n")
    (tmp_path / "h.trn").write_text("(bob_2)\nthe hat (ann-1)\n")
    pairs = read_pairs(tmp_path / "r.trn", tmp_path / "h.trn", locale="en-US")
    assert [("ann-1", "ann", "the cat", "the hat"), ("bob_2", "bob", "yes", "")] == [
        (pair.id, pair.speaker, pair.reference, pair.hypothesis) for pair in pairs
    ]


def test_ctm_words_go_to_the_segment_they_lie_in(tmp_path):
    """Each word of a `ctm` belongs to the `stm` segment that holds its middle."""
    (tmp_path / "r.stm").write_text(
        "f 1 ann 0.0 1.0 <o,f0> the cat\nf 1 ann 1.0 2.0 sat\nf 1 x 2.0 3.0 IGNORE_TIME_SEGMENT_IN_SCORING\n"
    )
    (tmp_path / "h.ctm").write_text(
        "f 1 0.1 0.3 the 0.9\nf 1 0.6 0.7 cat\nf 1 0.95 0.3 sat\nf 1 2.2 0.1 noise\n"
    )
    pairs = read_pairs(tmp_path / "r.stm", tmp_path / "h.ctm", locale="en-US")
    assert [("the cat", "the cat"), ("sat", "sat")] == [
        (pair.reference, pair.hypothesis) for pair in pairs
    ]


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("t.csv", "reference,hypothesis,locale\na,b,en\nc,d\n", ":3: 2 cells where the header has 3"),
        ("t.csv", b"reference,hypothesis,locale\na,b,en\n\xff,d,en\n", ":3: not UTF-8"),
        ("t.csv", b"reference|hypothesis|locale\na|b|en\n", ":1: its columns are divided by “|”"),
        ("t.csv", "reference;hypothesis;locale\na;b;en\nc;d\n", ":3: 2 cells where the header has 3"),
        ("t.csv", "reference;hypothesis;sprache\na;b;en\n", "t.csv:1: no column locale or language"),
        ("t.csv", "sep=;\n\nreference;hypothesis;locale\na;b;en\nc,d,en\n", ":5: 1 cells where the header has 3"),
        ("t.csv", 'sep=;\nreference;hypothesis;locale\na;b;en\n"c;d;en\n', ":4: not CSV"),
        ("t.csv", "sep=;\n", "holds no pairs"),
        ("t.tsv", b"reference,hypothesis,locale\na,b,en\n", ":1: its columns are divided by commas"),
        ("t.csv", b"reference,hypothesis,locale,reference\na,b,en,a\n", ":1: two columns are named “reference”"),
        ("t.csv", 'reference,hypothesis,locale\na,b,en\n"c,d,en\n', ":3: not CSV"),
        ("t.csv", "reference,hypothesi,locale\na,b,en\n", "is it “hypothesi”"),
        ("t.csv", "reference,hypothesis\na,b\nc,d\n", r":1: no column locale or language or lang; there are: reference, hypothesis \(--language names [^(]*\)$"),
        ("t.csv", "reference,hypothesis,locale\na,b,\n", ":2: the locale is empty .--language names"),
        ("t.jsonl", '{"reference":"a","hypothesis":"b","locale":"en"}\n{"reference":"a","hypothesis":"b"}\n', ":2: no column locale"),
        ("t.csv", "reference,hypothesis,locale\na,b,en\nc\0,d,en\n", ":3: a NUL byte, character 2"),
        ("t.csv", "id,reference,hypothesis,locale\n7,a,b,en\n7,c,d,en\n", ":3: id “7” is also that of line 2"),
        ("t.csv", "reference,hypothesis,locale\n", "holds no pairs"),
        ("t.csv", "", "holds no pairs"),
        ("t.csv", "r".encode("utf-16"), "UTF-16"),
        ("t.jsonl", '{"reference":1,"hypothesis":"b","locale":"en"}\n', ":1: reference is 1"),
        ("t.jsonl", '[{"reference":"a"}]\n', ":1: not a JSON object"),
        ("t.parquet", "no", "cannot be read as Parquet"),
        ("t.xlsx", "", "ends in none of(?s:.*)save the sheet as CSV"),
        ("t.txt", "", "ends in none of[^:]*$"),
        ("t.csv", "audio,text,locale\na.wav,b,en\n", ":1: no column hypothesis .*harness run transcribes audio"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(table, name, content, said):
    """A table that cannot be used says why, with file and line, and what to do."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match=said):
        table(name, content)


def test_all_faults_are_told_at_once(table):
    """Every kind of fault is in one message, not one a try."""
    with pytest.raises(InputError) as error:
        table("t.csv", b"id,reference,hypothesis,locale\n1,a,b,en\n1,a,b,en\nx\n\xff,a,b,en\n")
    for line in (":3: ", ":4: ", ":5: "):
        assert line in str(error.value)


def test_repeats_of_a_run_are_no_duplicates(table):
    """The same utterance may stand once for each dataset, model and repeat, as in `utterances.csv`."""
    header = "utterance_id,dataset,locale,model,repeat,reference,hypothesis\n"
    rows = "1,d,en,m,1,a,b\n1,d,en,m,2,a,b\n1,d,en,n,1,a,b\n1,e,en,m,1,a,'=b\n"
    pairs = table("t.csv", header + rows)
    assert 4 == len(pairs)
    assert "=b" == pairs[3].hypothesis


def test_two_sided_formats_take_two_files(tmp_path):
    """`trn` alone, a table with a second file, and NIST files without a language are refused, with what to type."""
    (tmp_path / "r.trn").write_text("a (s-1)\n")
    (tmp_path / "t.csv").write_text("reference,hypothesis,locale\na,b,en\n")
    with pytest.raises(UsageError, match=r"HYP.trn"):
        read_pairs(tmp_path / "r.trn")
    with pytest.raises(UsageError, match="--language"):
        read_pairs(tmp_path / "r.trn", tmp_path / "r.trn")
    with pytest.raises(UsageError, match="two files"):
        read_pairs(tmp_path / "t.csv", tmp_path / "t.csv")


@pytest.fixture
def nist(tmp_path):
    """Return a function that writes a `stm` and a `ctm` and reads them."""

    def read(stm, ctm):
        (tmp_path / "r.stm").write_text(stm)
        (tmp_path / "h.ctm").write_text(ctm)
        return read_pairs(tmp_path / "r.stm", tmp_path / "h.ctm", locale="en-US")

    return read


@pytest.mark.parametrize(
    "stm, ctm, said",
    [
        ("f A ann 0 1 a\n", "f 1 0 1 a\n", "h.ctm:1: .*“f 1” have no segment.* f A"),
        ("f 1 ann 0 1 a\n", "f 1 0 1 a\ng 1 0 1 b\n", "h.ctm:2: .*“g 1”"),
        ("f 1 ann 0 nan a\n", "f 1 0 1 a\n", "r.stm:1: “nan” is no time"),
        ("f 1 ann -1 1 a\n", "f 1 0 1 a\n", "r.stm:1: “-1” is no time"),
        ("f 1 ann 0 1 a\n", "f 1 0 1 a\nf 1 inf 1 a\n", "h.ctm:2: “inf” is no time"),
        ("f 1 ann 0 1 a\nf 1 ann 2 2 a\n", "f 1 0 1 a\n", "r.stm:2: .*not after its start"),
        ("f 1 ann 0 1 a {b / c}\n", "f 1 0 1 a\n", "r.stm:1: “{b / c}” is NIST's markup"),
        ("f 1 ann 0 1 (uh) a\n", "f 1 0 1 a\n", "r.stm:1: “.uh.” is NIST's markup"),
        ("f 1 ann 0 1 a @\n", "f 1 0 1 a\n", "r.stm:1: “@” is NIST's markup"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_nist_files_is_named(nist, stm, ctm, said):
    """Another channel, what is no time, and markup that is not read are told with file and line."""
    with pytest.raises(InputError, match=said):
        nist(stm, ctm)


def test_trn_markup_is_refused(tmp_path):
    """Alternatives and optional words of a `trn` are no words."""
    (tmp_path / "r.trn").write_text("{a / b} c (s-1)\n(uh) c (s-2)\n")
    with pytest.raises(InputError, match=r"(?s)r.trn:1: “{a / b}” is.*r.trn:2: “.uh.” is"):
        read_pairs(tmp_path / "r.trn", tmp_path / "r.trn", locale="en-US")


def test_words_outside_every_segment_are_counted(nist):
    """Words in no segment stay as a pair without a rate; those in a segment left out are left out with it."""
    pairs = nist(
        "f 1 ann 0 1 a\nf 1 gap 1 2 ignore_time_segment_in_scoring\n",
        "f 1 0.2 0.1 a\nf 1 1.2 0.1 x\nf 1 3 0.1 b\nf 1 4 0.1 c\n",
    )
    assert [("a", None), ("b c", True)] == [
        (pair.hypothesis, pair.reason and ("outside every segment: 2, the first in its line 3" in pair.reason))
        for pair in pairs
    ]  # fmt: skip


def test_a_word_belongs_to_one_segment(nist):
    """Of overlapping segments the one that a word overlaps most has it, the earlier one where they are alike."""
    pairs = nist(
        "f 1 bob 1 3 two\nf 1 ann 0 2 one\n",
        "f 1 1.2 0.2 alike\nf 1 1.7 0.5 later\nf 1 0.7 0.7 earlier\n",
    )
    assert [("two", "later"), ("one", "alike earlier")] == [
        (pair.reference, pair.hypothesis) for pair in pairs
    ]


def test_the_same_segment_twice_is_refused(tmp_path):
    """Two segments of a channel with the same speaker and times are told with both lines; of two speakers they are two."""
    (tmp_path / "h.ctm").write_text("f 1 0.2 0.1 a\n")
    (tmp_path / "r.stm").write_text("f 1 ann 0 1 a\nf 1 ann 0 1 b\n")
    with pytest.raises(InputError) as told:
        read_pairs(tmp_path / "r.stm", tmp_path / "h.ctm", locale="en-US")
    assert "r.stm:2: the same segment as in line 1: f-1-ann-0-1" in str(told.value)
    (tmp_path / "r.stm").write_text("f 1 ann 0 1 a\nf 1 bob 0 1 b\n")
    found = read_pairs(tmp_path / "r.stm", tmp_path / "h.ctm", locale="en-US")
    assert ["f-1-ann-0-1", "f-1-bob-0-1"] == [pair.id for pair in found]
