"""One small tree per layout: what is read from it, and what is wrong in it, each at its file and line."""

import os

import pytest

from harness.corpus.check import check
from harness.corpus.layout import recognised
from harness.corpus.shelf import open_dataset
from harness.errors import InputError


def told(path, **options):
    """Return the faults of a dataset as (where, line, warning, what)."""
    return [(f.where, f.line, f.warning, f.what) for f in check(str(path), **options)]


def read(path, *fields, **options):
    """Return these fields of each utterance."""
    dataset = open_dataset(str(path), **options)
    return [tuple(getattr(u, name) for name in fields) for u in dataset.utterances]


def test_a_folder_of_nothing_usable_is_named_as_it_was_typed(tmp_path, wav):
    """The last fault of a folder whose audio has no locale names that folder, not a dot."""
    wav(tmp_path / "a.wav")
    assert [("a.wav", None), (str(tmp_path), None)] == [fault[:2] for fault in told(tmp_path)]


# ── A folder with sidecars ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path, wav):
    """Give a folder of audio: two with text, one without, in two languages' folders."""
    wav(tmp_path / "speech" / "de-DE" / "b.WAV")
    wav(tmp_path / "speech" / "de-DE" / "a.wav")
    wav(tmp_path / "speech" / "cmn_hans_cn" / "deep" / "c.wav")
    (tmp_path / "speech" / "de-DE" / "a.txt").write_text("\ufeffGuten Tag.\r\n", encoding="utf-8")
    (tmp_path / "speech" / "cmn_hans_cn" / "deep" / "c.txt").write_text("你好", encoding="utf-8")
    return tmp_path / "speech"


def test_a_folder_gives_audio_with_its_sidecars_in_order(folder):
    """Ids are paths, references are the sidecars' text, and locales are the folders' names."""
    assert [
        ("cmn_hans_cn/deep/c.wav", "你好", "cmn-CN"),
        ("de-DE/a.wav", "Guten Tag.", "de-DE"),
        ("de-DE/b.WAV", None, "de-DE"),
    ] == read(folder, "id", "reference", "locale")
    [(where, line, warning, what)] = told(folder)
    assert ("de-DE/b.WAV", None, True) == (where, line, warning)
    assert "no reference" in what


def test_a_folder_without_a_locale_is_told_what_to_do(folder, wav):
    """A bare `de` is only a folder's name: the file is left out, unless a locale is given."""
    wav(folder / "de" / "d.wav")
    [fault] = [fault for fault in told(folder) if not fault[2]]
    assert "de/d.wav" == fault[0]
    assert "no locale" in fault[3]
    assert "recipe.toml" in fault[3]
    assert ("de/d.wav", "fr-FR") in read(folder, "id", "locale", locale="fr")


def test_the_remedy_for_a_lacking_locale_is_told_once(folder, wav):
    """Every file without a locale is named, and what to do is said of the first alone."""
    for name in "abc":
        wav(folder / "de" / f"{name}.wav")
    faults = [what for _, _, warning, what in told(folder) if not warning and "no locale" in what]
    assert 1 == sum("recipe.toml" in what for what in faults)
    assert ["no locale"] * (len(faults) - 1) == faults[1:]
    assert 3 <= len(faults)


def test_an_empty_sidecar_is_read_as_silence_with_a_warning(folder):
    """An empty sidecar says that nothing is said, which is told, since it may be an accident."""
    (folder / "de-DE" / "a.txt").write_text(" \n")
    assert ("de-DE/a.wav", "") in read(folder, "id", "reference")
    assert [("de-DE/a.txt", True)] == [
        (where, warning) for where, _, warning, what in told(folder) if what.startswith("empty")
    ]


def test_bad_sidecars_are_told_at_their_line(folder):
    """A sidecar that is no UTF-8, or too long, is a fault, and the other files are read."""
    (folder / "de-DE" / "a.txt").write_bytes(b"one\ntwo \xfcber\n")
    (folder / "de-DE" / "b.txt").write_bytes(b"x" * ((1 << 20) + 1))
    (folder / "de-DE" / "lonely.txt").write_text("?", encoding="utf-8")
    assert [
        ("de-DE/a.txt", 2, False, "not UTF-8: byte 0xfc"),
        ("de-DE/b.txt", None, False, "longer than 1 MiB: no transcript"),
        ("de-DE/lonely.txt", None, True, "no audio of that name beside it"),
    ] == told(folder)
    assert 1 == len(read(folder, "id"))


def test_a_file_name_that_is_no_utf_8_is_a_fault(folder, wav):
    """Its bytes are shown escaped, so that every report can be written."""
    (folder / "de-DE" / "a.wav").rename(folder / "de-DE" / os.fsdecode(b"\xff.wav"))
    faults = [fault for fault in told(folder) if not fault[2]]
    assert [("de-DE/\\xff.wav", None)] == [(where, line) for where, line, _, _ in faults]
    assert "no UTF-8" in faults[0][3]


def test_a_link_to_a_folder_is_not_followed(folder, tmp_path, wav):
    """What lies behind it is not read, and a warning says so."""
    wav(tmp_path / "elsewhere" / "x.wav")
    (folder / "de-DE" / "more").symlink_to(tmp_path / "elsewhere")
    assert ("de-DE/more", None, True, "a symbolic link to a folder is not followed") in told(folder)
    assert 3 == len(read(folder, "id"))


@pytest.mark.parametrize("name", ["refs.csv", "refs.TSV", "refs.jsonl"])
def test_the_one_manifest_in_a_folder_of_audio_is_named(folder, wav, name):
    """It is not read, for its name is not the usual one, and whoever wrote it is told what to name."""
    assert open_dataset(str(folder)).overlooked is None
    (folder / name).write_text("")
    assert folder / name == open_dataset(str(folder)).overlooked
    (folder / "more.csv").write_text("")
    assert open_dataset(str(folder)).overlooked is None


def test_a_folder_that_cannot_be_used_points_at_its_manifest(tmp_path, wav):
    """The error's way out is the manifest that lies there."""
    wav(tmp_path / "calls" / "a.wav")
    (tmp_path / "calls" / "refs.csv").write_text("audio,text,locale\na.wav,x,de-DE\n")
    with pytest.raises(InputError) as caught:
        open_dataset(str(tmp_path / "calls"))
    assert str(tmp_path / "calls" / "refs.csv") in caught.value.hint
    assert ["x"] == [text for (text,) in read(tmp_path / "calls" / "refs.csv", "reference")]


# ── CSV and TSV ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def table(tmp_path, wav):
    """Give a function that writes a table beside a.wav and b.wav."""
    wav(tmp_path / "a.wav")
    wav(tmp_path / "b.wav")

    def write(text, name="manifest.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return write


@pytest.mark.parametrize(
    "audio, text, locale, speaker",
    [
        ("audio_filepath", "text", "locale", "speaker"),
        ("audio", "reference", "language", "client_id"),
        ("path", "sentence", "lang", "speaker"),
        ("file", "transcript", "locale", "client_id"),
    ],
)
def test_columns_go_by_several_names(table, audio, text, locale, speaker):
    """Every known name of a column is read; the rest are tags, empty ones and pandas' index dropped."""
    path = table(
        f",{text},{audio},{locale},{speaker},offset,duration,mood,age\n"
        '0,"Guten ""Tag"", Welt",a.wav,de_de,s1,0.05,0.1,merry,\n'
    )
    assert [] == told(path)
    fields = ("id", "reference", "locale", "speaker", "offset_s", "duration_s", "tags")
    assert [
        ("a.wav@0.05", 'Guten "Tag", Welt', "de-DE", "s1", 0.05, 0.1, {"mood": "merry"})
    ] == read(path, *fields)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("above", ["", "sep={}\r\n", "\n"])
def test_a_csv_is_read_however_a_spreadsheet_divides_it(table, mark, above):
    """Commas, semicolons and tabs give the same rows, and a fault is told at its line in the file."""
    rows = [
        ["Datei", "text", "locale", "duration"],
        ["a.wav", '"eins, zwei;\tdrei\nvier"', "de-DE", ""],
        ["b.wav", "x", "de-DE", '"0,1"'],
    ]
    path = table(above.format(mark) + "".join(mark.join(row) + "\r\n" for row in rows))
    text = path.read_bytes()
    (path.parent / "recipe.toml").write_text(
        'name = "x"\ntitle = "X"\nlayout = "csv"\n[columns]\naudio_filepath = "Datei"\n',
        encoding="utf-8",
    )
    assert [("eins, zwei;\tdrei\nvier", "de-DE")] == read(path.parent, "reference", "locale")
    [(where, line, warning, what)] = told(path.parent)
    assert ("manifest.csv", text.count(b"\n"), False) == (where, line, warning)
    assert "0,1" in what


def test_where_two_names_of_a_column_meet_the_preferred_counts(table):
    """The other one is a tag."""
    path = table("sentence,text,audio,lang\nraw,clean,a.wav,de-DE\n")
    assert [("clean", {"sentence": "raw"})] == read(path, "reference", "tags")


def test_csv_cells_may_hold_line_ends_and_lines_are_counted(table):
    """A fault after a record of three lines is told at its own line."""
    path = table('audio,text,locale\na.wav,"one\ntwo\nthree",de-DE\nb.wav,x,xx\n')
    assert ["one\ntwo\nthree"] == [text for (text,) in read(path, "reference")]
    assert [5] == [line for _, line, _, _ in told(path)]


@pytest.mark.parametrize(
    "line, what",
    [
        ('a.wav,"never closed,de-DE', "opened and never closed"),
        ('a.wav,"x"y,de-DE', "not CSV"),
        ("a.wav,one,two,de-DE", "4 cells where the header has 3"),
        ("a.wav", "1 cells where the header has 3"),
        ("a.wav,x,", "no locale"),
        (",x,de-DE", "audio_filepath is empty"),
        (b"a.wav,\xe4,de-DE", "not UTF-8"),
    ],
)
def test_a_bad_record_is_told_and_the_next_one_read(table, line, what):
    """Not even an open quote swallows the rest of the file."""
    line = line if isinstance(line, bytes) else line.encode()
    path = table(b"audio,text,locale\na.wav,one,de-DE\n" + line + b"\nb.wav,last,de-DE\n")
    [(where, number, warning, text)] = told(path)
    assert ("manifest.csv", 3, False) == (where, number, warning)
    assert what in text
    assert ["one", "last"] == [text for (text,) in read(path, "reference")]


@pytest.mark.parametrize(
    "header, what",
    [
        ("sound,text,locale", "no audio column: name it audio_filepath or audio or path or file"),
        ("audio,text,speech", "no locale column"),
        ("audio,text,locale,text", "two columns are named text"),
        ("audio|text|locale", "divided by '|'"),
        ("sound;text;locale", "no audio column: name it audio_filepath or audio or path or file"),
        ("audio;text;speech", "no locale column"),
        ("audio\ttext\tlocale\ttext", "two columns are named text"),
    ],
)
def test_a_header_that_cannot_be_used_is_told_once(table, header, what):
    """A missing column is told of the header, not of every row."""
    path = table(header + "\n" + "a.wav,x,de-DE,x\n" * 50)
    faults = told(path)
    assert {("manifest.csv", 1, False)} == {fault[:3] for fault in faults[:-1]}
    assert any(what in fault[3] for fault in faults)
    assert "no usable utterance" == faults[-1][3]


def test_a_header_without_text_is_a_fault_and_the_audio_can_be_heard(table):
    """It is told once, and the utterances have no reference."""
    path = table("audio,transkript,locale\na.wav,x,de-DE\nb.wav,y,de-DE\n")
    faults = told(path)
    assert [(1, False), (2, True)] == [(line, warning) for _, line, warning, _ in faults]
    assert "transkript" in faults[0][3]
    assert "and 1 more" in faults[1][3]
    assert [(None, {"transkript": "x"}), (None, {"transkript": "y"})] == read(
        path, "reference", "tags"
    )


@pytest.mark.parametrize("mark, name", [(",", "say.csv"), (";", "say.csv"), ("\t", "say.tsv")])
@pytest.mark.parametrize("audio", [[], ["audio_filepath"], ["path"]])
def test_a_table_of_texts_alone_holds_written_items(table, mark, name, audio):
    """Without an audio column, or with one that is empty throughout, they are read as JSON lines are."""
    rows = [["text", "locale", "mood", *audio]]
    rows += [[text, "de-DE", "calm.", *("" for _ in audio)] for text in ("eins", "", "zwei")]
    path = table("".join(mark.join(row) + "\n" for row in rows), name)
    assert [(None, "eins", {"mood": "calm."}), (None, "zwei", {"mood": "calm."})] == read(
        path, "audio", "reference", "tags"
    )
    assert [(name, 3, False, "neither audio nor text")] == told(path)


@pytest.mark.parametrize(
    "content, line, what",
    [
        (
            "sound,text,locale\nx,eins,de-DE\nb.WAV,zwei,de-DE\n",
            1,
            "no audio column: name it audio",
        ),
        ("path,text,locale\n,eins,de-DE\nb.wav,zwei,de-DE\n", 2, "audio_filepath is empty"),
        ("audio,sound,text,locale\n,b.wav,zwei,de-DE\n", 2, "audio_filepath is empty"),
        ("text,locale\n", 1, "no audio column: name it audio"),
    ],
)
@pytest.mark.parametrize("name", ["some.csv", "some.tsv"])
def test_a_table_that_names_audio_anywhere_wants_it_of_every_row(table, content, line, what, name):
    """What was to be heard does not pass for what was to be spoken."""
    faults = told(table(content.replace(",", "\t") if name == "some.tsv" else content, name))
    assert (name, line, False) == faults[0][:3]
    assert what in faults[0][3]


def test_an_empty_table_is_a_fault(table):
    """A file without a header is told."""
    assert "empty" in told(table(""))[0][3]


def test_tsv_quotes_are_text_unless_they_hold_the_whole_cell(table):
    """A quotation mark at the start of a sentence swallows nothing."""
    path = table(
        'audio\ttext\tlocale\r\na.wav\t"Hi," she said\ten\r\nb.wav\t"say ""hi"""\ten\r\n',
        "some.tsv",
    )
    assert ['"Hi," she said', 'say "hi"'] == [text for (text,) in read(path, "reference")]
    [(_, line, warning, what)] = told(path)
    assert (2, True) == (line, warning)
    assert "“en” is taken as en-US" in what


def test_ids_made_from_paths_are_unique_and_stable(table):
    """Segments carry their offset, and the same audio twice is counted up in order."""
    path = table(
        "audio,text,locale,offset\na.wav,x,de-DE,\na.wav,y,de-DE,\na.wav,z,de-DE,0.1\nb.wav,w,de-DE,\n"
    )
    assert ["a.wav", "a.wav#2", "a.wav@0.1", "b.wav"] == [name for (name,) in read(path, "id")]


# ── NeMo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nemo_manifests_are_read_as_they_are(tmp_path, wav):
    """Absolute paths, `lang`, `offset` and `duration`, in a file named .json."""
    audio = wav(tmp_path / "corpus" / "x.wav", seconds=1)
    path = tmp_path / "manifests" / "test.json"
    path.parent.mkdir()
    path.write_text(
        f'{{"audio_filepath": "{audio}", "text": "hallo", "duration": 0.5, "offset": 0.25, "lang": "de"}}\n',
        encoding="utf-8",
    )
    fields = ("audio", "reference", "locale", "offset_s", "duration_s", "dataset")
    assert [(audio, "hallo", "de-DE", 0.25, 0.5, "test")] == read(path, *fields)


# ── LibriSpeech ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def librispeech(tmp_path, wav):
    """Give two chapters of a split; the layout takes any audio extension."""
    for chapter, count in (("84-121123", 2), ("174-50561", 1)):
        speaker, number = chapter.split("-")
        here = tmp_path / "LibriSpeech" / "dev-clean" / speaker / number
        names = [f"{chapter}-{i:04d}" for i in range(count)]
        for name in names:
            wav(here / f"{name}.wav")
        (here / f"{chapter}.trans.txt").write_text(
            "".join(f"{name} GO ON {i}\n" for i, name in enumerate(names)), encoding="utf-8"
        )
    return tmp_path / "LibriSpeech"


def test_librispeech_gives_ids_speakers_and_texts(librispeech):
    """Ids are the corpus's own, and the locale is said to be assumed."""
    assert [
        ("174-50561-0000", "GO ON 0", "174", "en-US"),
        ("84-121123-0000", "GO ON 0", "84", "en-US"),
        ("84-121123-0001", "GO ON 1", "84", "en-US"),
    ] == read(librispeech, "id", "reference", "speaker", "locale")
    assert [(".", None, True, "LibriSpeech names no locale: taken as en-US")] == told(librispeech)
    assert [] == told(librispeech, locale="en-GB")


def test_librispeech_tells_what_is_missing(librispeech):
    """A line without audio, audio without a line, and a line that is no UTF-8."""
    here = librispeech / "dev-clean" / "84" / "121123"
    (here / "84-121123-0001.wav").rename(here / "84-121123-0007.wav")
    transcript = here / "84-121123.trans.txt"
    transcript.write_bytes(transcript.read_bytes() + b"84-121123-0002 \xff\n")
    where = "dev-clean/84/121123/84-121123.trans.txt"
    faults = told(librispeech, locale="en")
    assert [
        (where, 2, False),
        (where, 3, False),
        ("dev-clean/84/121123/84-121123-0007.wav", None, True),
    ] == [fault[:3] for fault in faults]
    assert "there is no such file" in faults[0][3]


# ── Common Voice ─────────────────────────────────────────────────────────────────────────────────────────────────────


COMMON_VOICE = "client_id\tpath\tsentence_id\tsentence\tup_votes\tage\taccents\tlocale\n"


def test_common_voice_gives_speakers_and_raw_sentences(tmp_path, wav):
    """Clips lie in clips/, quotes are text, and Common Voice's own code is canonicalised."""
    for name in ("cv_zh_1", "cv_zh_2"):
        wav(tmp_path / "zh-CN" / "clips" / f"{name}.wav")
    test = tmp_path / "zh-CN" / "test.tsv"
    test.write_text(
        COMMON_VOICE
        + 's1\tcv_zh_1.wav\tx1\t"你好"，他说\t2\ttwenties\t\tzh-CN\n'
        + "s2\tcv_zh_2.wav\tx2\t再见\t2\t\t\tzh-CN\n",
        encoding="utf-8",
    )
    (tmp_path / "zh-CN" / "validated.tsv").write_text(COMMON_VOICE, encoding="utf-8")
    tags = {"sentence_id": "x1", "up_votes": "2", "age": "twenties"}
    assert ("cv_zh_1", '"你好"，他说', "s1", "cmn-CN", tags) == read(
        tmp_path / "zh-CN", "id", "reference", "speaker", "locale", "tags"
    )[0]
    assert [] == told(tmp_path / "zh-CN")
    assert "zh-CN-test" == open_dataset(str(test)).name


def test_common_voice_tells_faults_at_their_line(tmp_path, wav):
    """A clip twice, a clip that is not there, a path that leads out of the dataset."""
    wav(tmp_path / "de" / "clips" / "c1.wav")
    line = "s\t{}\tx\tHallo\t2\t\t\tde-DE\n"
    names = ("c1.wav", "c1.wav", "gone.wav", "../../c1.wav")
    (tmp_path / "de" / "test.tsv").write_text(
        COMMON_VOICE + "".join(line.format(name) for name in names), encoding="utf-8"
    )
    faults = told(tmp_path / "de")
    assert [("test.tsv", 3), ("test.tsv", 4), ("test.tsv", 5)] == [fault[:2] for fault in faults]
    assert "id “c1” is taken by test.tsv:2" == faults[0][3]
    assert "there is no such file" in faults[1][3]
    assert "leaves the dataset's folder" in faults[2][3]


# ── FLEURS ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def fleurs(tmp_path, wav):
    """Give a function that lays out a FLEURS split with its audio in `where`."""

    def lay(where):
        for name in ("1001.wav", "1002.wav"):
            wav(tmp_path / "cmn_hans_cn" / where / name, seconds=0.2)
        (tmp_path / "cmn_hans_cn" / "test.tsv").write_text(
            '7\t1001.wav\t"Raw," 3号。\traw 3号\tr a w\t3200\tFEMALE\n'
            "7\t1002.wav\tRaw again.\traw again\tr a w\t3200\tMALE\n",
            encoding="utf-8",
        )
        return tmp_path / "cmn_hans_cn"

    return lay


@pytest.mark.parametrize("where", ["audio/test", "test", "audio", "."])
def test_fleurs_keeps_both_transcripts(fleurs, where):
    """The raw one is the reference, the other a tag; the locale is the folder's; ids are the files'."""
    root = fleurs(where)
    fields = ("id", "reference", "locale", "duration_s", "speaker", "tags")
    tags = {"transcription": "raw 3号", "sentence_id": "7", "gender": "FEMALE"}
    assert ("1001", '"Raw," 3号。', "cmn-CN", 0.2, None, tags) == read(root, *fields)[0]
    assert [] == told(root)


def test_fleurs_tells_faults_at_their_line(fleurs):
    """A row of another shape, and audio that is not there."""
    root = fleurs("audio/test")
    with (root / "test.tsv").open("a", encoding="utf-8") as file:
        file.write("8\t1003.wav\tonly three\n9\t1004.wav\ta\ta\ta\t3200\tMALE\n")
    faults = told(root)
    assert [("test.tsv", 3, False), ("test.tsv", 4, False)] == [fault[:3] for fault in faults]
    assert "3 cells where FLEURS has 7" == faults[0][3]
    assert "there is no such file" in faults[1][3]


# ── Every layout ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_manifest_that_is_no_file_is_told(tmp_path, wav):
    """A folder of that name, or a file nobody may read, is one fault."""
    wav(tmp_path / "d" / "a.wav")
    (tmp_path / "d" / "recipe.toml").write_text(
        'name = "d"\ntitle = "d"\nlayout = "jsonl"\n', encoding="utf-8"
    )
    assert [("manifest.jsonl", "cannot be read: No such file or directory")] == [
        (where, what) for where, _, _, what in told(tmp_path / "d")
    ][:1]
    (tmp_path / "d" / "manifest.jsonl").mkdir()
    assert "not a regular file" == told(tmp_path / "d")[0][3]


@pytest.mark.parametrize("above", ["cv", "cv/cv-corpus-17.0"])
def test_the_folder_above_common_voices_locales_names_them(tmp_path, above):
    """The folder that holds Common Voice's locales, at most one folder between, is answered with theirs."""
    for locale in ("it", "pl"):
        (tmp_path / above / locale / "clips").mkdir(parents=True)
        (tmp_path / above / locale / "clips" / "a.mp3").touch()
        (tmp_path / above / locale / "test.tsv").write_text("client_id\tpath\tsentence\n")
    with pytest.raises(InputError) as refused:
        recognised(tmp_path / "cv")
    assert "it, pl" in refused.value.why
    assert str(tmp_path / above / "it") in refused.value.hint
