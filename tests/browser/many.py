"""A run of any size without sessions or scoring: rows as a run of real sentences would leave them.

Words are drawn by Zipf's law from vocabularies of 4,000 made-up words a locale, in its own letters, so that they compress
no better than real text does.
"""

from __future__ import annotations

import random
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from harness.report.assembly import run_summary
from harness.report.rows.bounds import SpeechBook
from harness.report.rows.diff import written
from harness.report.rows.row import Companions, Row
from harness.report.rows.rows import session_of
from harness.report.tables.table import RunTable
from harness.run.folder import read_journal, read_plan
from harness.run.record import PlannedUtterance
from harness.score.edits import EditCounts
from harness.text.locales import LOCALES

if TYPE_CHECKING:
    from pathlib import Path

_LETTERS = {
    "Latn": "etaoinsrhldcumfpgwybvkxjqzéäöñç", "Cyrl": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщ", "Arab": "اليمنورتبعدسكفحجهقشصطخذ",
    "Deva": "कखगचजटडतदनपबमयरलवशसहािीुेो", "Beng": "কখগচজটডতদনপবমযরলশসহািীুেো", "Gujr": "કખગચજટડતદનપબમયરલવશસહાિીુેો",
    "Knda": "ಕಗಚಜಟಡತದನಪಬಮಯರಲವಶಸಹಾಿೀುೆೊ", "Mlym": "കഗചജടഡതദനപബമയരലവശസഹാിീുെൊ", "Taml": "கசடதபறயரலவழளனஞஙாிீுெொ",
    "Telu": "కగచజటడతదనపబమయరలవశసహాిీుెొ", "Thai": "กขคงจชซญดตถทนบปผพมยรลวสหอาิีุเแโ", "Hans": "的一是不了人我在有他这中大来上国个到说们为子和你地出道",
    "Jpan": "のにはをたがでてとしれさあいう日本人大年会国中", "Kore": "이다는에가고을의를하은지사기시리도",
}  # fmt: skip


def _vocabulary(code: str) -> list[str]:
    random_ = random.Random(code)  # noqa: S311 - seeded
    letters = _LETTERS[LOCALES[code].script]
    return ["".join(random_.choices(letters, k=random_.randint(1, 9))) for _ in range(4000)]


def many_rows(folder: Path, count: int, *, words: int = 10) -> RunTable:
    """Return the table of a run of `count` rows over all locales; `folder` holds a plan and a record to go by."""
    plan = read_plan(folder)
    session = session_of(read_journal(folder)[0], 0)
    chance = random.Random(0)  # noqa: S311 - seeded
    weights = list(accumulate(1 / rank for rank in range(1, 4001)))
    codes = list(LOCALES)
    vocabularies = {code: _vocabulary(code) for code in codes}
    rows = []
    for number in range(count):
        code = codes[number * len(codes) // count]
        spaced = LOCALES[code].metric == "WER"
        said = chance.choices(
            vocabularies[code], cum_weights=weights, k=max(2, round(chance.gauss(words, 3)))
        )
        pieces: list[tuple[str, str | None, str | None]] = []
        for token in said:
            draw = chance.random()
            if draw < 0.88:
                if pieces and pieces[-1][0] == "=":
                    run = f"{pieces[-1][1]} {token}"
                    pieces[-1] = ("=", run, run)
                else:
                    pieces.append(("=", token, token))
            elif draw < 0.95:
                pieces.append(("S", token, chance.choice(vocabularies[code])))
            elif draw < 0.98:
                pieces.append(("D", token, None))
            else:
                pieces += [("D", token, None), ("I", None, token[::-1])]
        joint = " " if spaced else ""
        reference = joint.join(said).capitalize() + "."
        hypothesis = joint.join(heard for _, _, heard in pieces if heard is not None)
        ops = [op for op, _, _ in pieces]
        counts = EditCounts(
            hits=len(said) - ops.count("S") - ops.count("D"),
            substitutions=ops.count("S"), deletions=ops.count("D"), insertions=ops.count("I"),
        )  # fmt: skip
        first, final = chance.lognormvariate(-0.3, 0.4), chance.lognormvariate(0.1, 0.5)
        audio_s = max(0.8, chance.gauss(6, 3))
        identifier = f"common_voice_{code[:2]}_{chance.randrange(17_000_000, 41_000_000)}"
        rows.append(
            Row(
                planned=PlannedUtterance(
                    id=identifier, dataset="sample", locale=code, reference=reference, audio=None, sha256=None,
                    speaker=f"speaker-{number % 997}",
                ),
                model=plan.models[0], repeat=1, outcome="ok", hypothesis=hypothesis, metric=LOCALES[code].metric,
                audio_s=round(audio_s, 4), first_text_s=round(first, 6), final_text_s=round(final, 6),
                speech_bounds_source="detected", setup_s=0.1, send_lag_p50_ms=0.4,
                send_lag_p99_ms=round(chance.lognormvariate(0.5, 0.4), 6), late=False, attempts=1,
                prompt_tokens=round(audio_s * 32), response_tokens=20, total_tokens=round(audio_s * 32) + 20,
                cost_usd=round(audio_s * 32 * 3e-6, 10), reason=None, counts=counts,
                companions=Companions(*4 * [counts]), if_deleted=None,
                diff_text=written(pieces), faults=("lost_start",) if ops[0] == "D" else (),
                unbilled_usd=None, at_seams=EditCounts(), session=session,
            )
        )  # fmt: skip
    # Sums over a part: intervals over all of them take longer than all else, and are not what is looked at.
    part = rows[:: max(1, count // 3000)]
    summary = run_summary(
        folder,
        plan,
        part,
        foreign=0,
        lost=(),
        refused=0,
        heard=None,
        profile="norm-1n",
        metric="auto",
    )
    return RunTable(
        folder=folder, rows=rows, summary=msgspec.structs.replace(summary, sessions=count)
    )


class Behind:
    """What lies behind made-up rows: one session and one clip, again and again."""

    channel = "input"

    def __init__(self, folder: Path, clip) -> None:
        from harness.report.rows.exhibits import Exhibits

        self._real = Exhibits(folder, read_plan(folder), SpeechBook(folder), read_journal(folder))
        self._record = read_journal(folder)[0]
        self._clip = clip

    def trace(self, row):
        return self._real.trace(row)

    def clip(self, row):
        return self._clip

    def bounds(self, row):
        return None

    def received(self, row):
        return False

    def link(self, row):
        return None
