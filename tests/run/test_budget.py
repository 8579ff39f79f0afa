"""Money: whatever is planned, priced and billed, a budget is never passed by more than the sessions in flight."""

from __future__ import annotations

import asyncio
import shutil

import msgspec
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.errors import InputError
from harness.report.assembly import run_table
from harness.report.rows.bounds import SpeechBook
from harness.report.tables.table import read_run
from harness.report.tables.write import table_files, write_files
from harness.run.bill import answered_tokens, bill_usd, spent_usd
from harness.run.demand import Demand, estimate_usd, transcription
from harness.run.execute import discard_untouched
from harness.run.folder import JOURNAL, read_journal, unfinished
from harness.run.journal import Journal
from harness.run.record import Usage, UtteranceRecord
from harness.run.stream import Streamer
from harness.wire.live import catalogue
from tests.run.runs import breaking_once, final_slots, plan, resumable, run, utterance
from tests.session.memory import MODEL, Service
from tests.session.speaker import PIECE_S, audio

PRICED = (MODEL, "gemini-3.5-transcribe-live")


def billing(bills, breaks):
    """Return a service whose n-th answer counts `bills[n]` audio tokens (None: no bill), and breaks off where told."""
    turns = []

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "activityEnd" not in frame.get("realtimeInput", {}):
            return
        turns.append(line)
        tokens = bills[len(turns) % len(bills)]
        line.say({"serverContent": {"inputTranscription": {"text": " hello"}}})
        end = {"serverContent": {"turnComplete": True}}
        if tokens is not None:
            detail = [{"modality": "AUDIO", "tokenCount": tokens}]
            end["usageMetadata"] = {
                "promptTokenCount": tokens,
                "totalTokenCount": tokens,
                "promptTokensDetails": detail,
            }
        line.say(end)
        if breaks[len(turns) % len(breaks)]:
            line.loop.call_later(0.01, line.hang_up, 1011, "Internal error encountered.")

    return Service(answer)


@settings(max_examples=25)
@given(
    lengths=st.lists(st.floats(0.1, 3.0), min_size=1, max_size=12),
    models=st.sampled_from([PRICED[:1], PRICED]),
    concurrency=st.integers(1, 5),
    bills=st.lists(st.none() | st.integers(0, 2_000_000), min_size=1, max_size=5),
    breaks=st.lists(st.booleans(), min_size=1, max_size=5),
    budget=st.floats(0.000001, 5.0),
)
def test_a_budget_is_passed_by_no_more_than_what_was_open(
    tmp_path_factory, *, lengths, models, concurrency, bills, breaks, budget
):
    """Over sittings, retries, unbilled and absurdly billed sessions, spending ends within the budget and what was open."""
    folder = tmp_path_factory.mktemp("run")
    made = plan([utterance(n, s) for n, s in enumerate(lengths)], models=models)
    for _ in range(2):
        if not unfinished(made, read_journal(folder)):
            break
        tally = run_virtual(
            run(made, folder, billing(bills, breaks), concurrency=concurrency, budget_usd=budget)
        )
        records = read_journal(folder)
        costs = sorted((spent_usd(record) for record in records), reverse=True)
        assert sum(costs) == pytest.approx(tally.cost_usd)
        # The last to begin saw a budget that held; those beside it may each cost more than was thought.
        assert sum(costs) <= budget + sum(costs[:concurrency]) + 1e-9
        assert (tally.stopped is None) == (not unfinished(made, records))
    table = run_table(
        folder, made, read_journal(folder), SpeechBook(folder), profile="norm-1n", metric="auto"
    )
    done = final_slots(folder)
    assert len(done) == len(set(done)) == sum(row.session is not None for row in table.rows)
    assert len(table.rows) == len(lengths) * len(models), "what was not attempted has its row"


@given(st.lists(st.none(), min_size=1, max_size=3), st.floats(0.5, 20.0))
def test_without_bills_the_estimate_is_never_passed(tmp_path_factory, bills, share):
    """Where no bill comes every session costs its estimate, so the budget is not passed at all."""
    from harness.run.demand import estimate_usd, transcription

    folder = tmp_path_factory.mktemp("run")
    budget = share * estimate_usd(MODEL, transcription(1.0))
    made = plan([utterance(n) for n in range(8)])
    tally = run_virtual(
        run(made, folder, billing(bills, [False]), concurrency=3, budget_usd=budget)
    )
    assert tally.cost_usd <= budget + 1e-9
    assert int(share) >= tally.done
    assert (tally.done == tally.wanted) == (tally.next_usd is None)
    assert tally.next_usd is None or tally.cost_usd + tally.next_usd > budget - 1e-9


def test_room_that_bills_give_back_lets_the_same_budget_go_on(tmp_path):
    """Where bills are below the estimates, what was stopped beside open sessions goes on with the budget it had."""
    budget = 2.5 * estimate_usd(MODEL, transcription(1.0))
    made = plan([utterance(n) for n in range(9)])
    left = 9
    while left:
        how = {"concurrency": 4, "budget_usd": budget}
        tally = run_virtual(run(made, tmp_path, billing([1], [False]), **how))
        assert (left, min(2, left)) == (tally.wanted, tally.done)
        left -= tally.done
        if left:
            assert "beside those open" in tally.stopped
            assert tally.cost_usd + tally.next_usd <= budget


class Asked(Service):
    """A service that never answers, and notes when it is asked for a session."""

    def __init__(self) -> None:
        self.asked = 0
        super().__init__(self._admit)

    def _admit(self, line, frame):
        if "setup" in frame:
            self.asked += 1
            line.say({"setupComplete": {}})


async def cut_off(made, folder, service, after_s, *, budget=None, how="stopped"):
    """Do a sitting that ends after a while, "stopped" in order or "killed"; return where the run lies then."""
    task = asyncio.create_task(run(made, folder, service, concurrency=4, budget_usd=budget))
    await asyncio.sleep(after_s)
    left = folder
    if how == "killed":  # what a process leaves that is gone at once
        left = folder.with_name(folder.name + "+")
        shutil.copytree(folder, left)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return left


@pytest.mark.parametrize("how", ["stopped", "killed"])
@settings(max_examples=10)
@given(after=st.lists(st.floats(0.05, 2.0), min_size=1, max_size=8), share=st.floats(1.0, 20.0))
def test_a_budget_holds_over_sittings_that_were_cut_off(tmp_path_factory, how, after, share):
    """However often a run is stopped or killed with its sessions open, each of them is counted, and the budget is kept."""
    one = estimate_usd(MODEL, transcription(3.0))
    made = plan([utterance(n, 3.0) for n in range(30)])
    folder, service = tmp_path_factory.mktemp("run") / "run", Asked()
    for after_s in after:
        folder = run_virtual(cut_off(made, folder, service, after_s, budget=share * one, how=how))
    (asked, rest) = service.asked, billing([None], [False])
    tally = run_virtual(run(made, folder, rest, concurrency=4, budget_usd=share * one))
    records = read_journal(folder)
    lost = [record for record in records if record.lost]
    assert asked == len(lost) == min(4 * len(after), int(share + 1e-9))
    assert sum(map(spent_usd, records)) == pytest.approx(tally.cost_usd)
    assert (asked + tally.done) * one <= share * one + 1e-9
    assert all(record.final is False and "open" in record.reason for record in lost)
    numbers = [(record.utterance, record.attempt) for record in records]
    assert len(numbers) == len(set(numbers)), "each attempt has one record"
    table = run_table(folder, made, records, SpeechBook(folder), profile="norm-1n", metric="auto")
    assert len(records) == sum(row.attempts for row in table.rows)
    told = [one.text for one in table.summary.warnings if "ended without a bill" in one.text]
    assert told


def test_what_was_let_in_and_never_asked_costs_nothing(tmp_path, monkeypatch):
    """An attempt that had its place and did not ask for a session is begun anew, and counts once when the run is cut off."""
    whole, turned = Streamer.attempt, []

    async def attempt(self, slot, prepared, number, way):
        if not turned:
            turned.append(await way.enter())
            return None
        return await whole(self, slot, prepared, number, way)

    monkeypatch.setattr(Streamer, "attempt", attempt)
    run_virtual(cut_off(plan([utterance(0)]), tmp_path / "run", Asked(), 1.0, how="killed"))
    with Journal(tmp_path / "run+"):
        (lost,) = read_journal(tmp_path / "run+")
    assert ([True], transcription(1.0)) == (turned, lost.lost)


def test_what_was_sent_again_when_a_run_was_cut_off_is_paid(tmp_path):
    """A session that was let send audio again counts for that as well, whether its run was stopped or killed meanwhile."""
    made = plan([utterance(0, 6.0)])

    async def main():
        task = asyncio.create_task(
            run(made, tmp_path / "run", breaking_once(), setups={MODEL: resumable(MODEL)})
        )
        await asyncio.sleep(5.0)
        shutil.copytree(tmp_path / "run", tmp_path / "killed")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtual(main())
    with Journal(tmp_path / "killed"):
        pass
    stopped, killed = (read_journal(tmp_path / name)[0].lost for name in ("run", "killed"))
    assert stopped == killed
    assert 6.0 + 1.5 < stopped.audio_s <= 6.0 + 2.0


def test_a_session_that_does_not_fit_is_not_passed_over(tmp_path):
    """A budget stops the run at the first session that it does not cover: a shorter one behind it is not sent in its place."""
    lengths = [2.0, 60.0, 1.0]
    made = plan([utterance(n, length) for n, length in enumerate(lengths)])
    covers = 1.1 * estimate_usd(MODEL, transcription(5.0))
    service = billing([None], [False])
    going = {"concurrency": 1, "budget_usd": covers}
    tally = run_virtual(run(made, tmp_path, service, **going))
    assert ["u0000"] == [slot[1] for slot in final_slots(tmp_path)]
    assert estimate_usd(MODEL, transcription(60.0)) == tally.next_usd
    run_virtual(run(made, tmp_path, service, **(going | {"budget_usd": 1000.0})))
    assert ["u0000", "u0001", "u0002"] == [slot[1] for slot in final_slots(tmp_path)]


def test_a_run_with_a_session_that_was_open_is_not_thrown_away(tmp_path):
    """A run that fails before anything is heard leaves nothing; one that had a session open keeps what that may have cost."""
    made = plan([utterance(0)])
    run_virtual(cut_off(made, tmp_path / "run", Asked(), 0.5))
    assert not discard_untouched(tmp_path / "run")
    assert 1 == len(read_journal(tmp_path / "run"))


def test_a_run_that_was_cut_off_often_fails_nothing(tmp_path):
    """Being cut off is no failure of the utterance: after many sittings it has all its attempts left."""
    made, service = plan([utterance(0)]), Asked()
    for _ in range(5):
        run_virtual(cut_off(made, tmp_path / "run", service, 0.5))
    broken = billing([30], [True, True, False])
    tally = run_virtual(run(made, tmp_path / "run", broken))
    assert (1, 0) == (tally.done, tally.failed)
    last = read_journal(tmp_path / "run")[-1]
    assert ("ok", True) == (last.outcome, last.final)
    assert 5 + len(broken.lines) == last.attempt


def test_unknown_usage_is_estimated_for_the_budget_and_said_in_the_report(tmp_path):
    """Without bills the budget counts estimates, the table's cost stays empty, and a warning says of how many sessions."""
    made = plan([utterance(n) for n in range(3)])
    tally = run_virtual(run(made, tmp_path, billing([None], [False]), budget_usd=1.0))
    assert tally.cost_usd > 0
    assert {None} == {bill_usd(r.model, r.usage) for r in read_journal(tmp_path)}
    table = run_table(
        tmp_path,
        made,
        read_journal(tmp_path),
        SpeechBook(tmp_path),
        profile="norm-1n",
        metric="auto",
    )
    assert {None} == {row.cost_usd for row in table.rows}
    assert any("3 sessions brought no usage record" in one.text for one in table.summary.warnings)


def test_speech_that_no_bill_tells_of_is_paid(tmp_path):
    """A transcript that the model speaks is estimated with the speech that came, in the run and when it is continued."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "activityEnd" in frame.get("realtimeInput", {}):
            for _ in range(10):
                line.say(audio())
            said = {"outputTranscription": {"text": "one"}, "turnComplete": True}
            line.say({"serverContent": said})

    made = plan([utterance(0)], transcript="output")
    tally = run_virtual(run(made, tmp_path, Service(answer)))
    (record,) = read_journal(tmp_path)
    spoken = Demand(audio_s=1.0, speech_s=10 * PIECE_S, reply=transcription(1.0).reply)
    assert estimate_usd(MODEL, spoken) == pytest.approx(tally.cost_usd)
    assert spent_usd(record) == pytest.approx(tally.cost_usd)


whole = st.integers(-(2**31), 2**31 - 1)
counts = whole | st.integers(0, 100) | st.none()
details = st.lists(
    st.fixed_dictionaries(
        {"modality": st.sampled_from(["AUDIO", "TEXT", "NEW", ""]), "tokenCount": whole}
    ),
    max_size=2,
)


@settings(max_examples=20, deadline=None)
@given(
    bills=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "promptTokenCount": counts,
                "responseTokenCount": counts,
                "candidatesTokenCount": counts,
                "thoughtsTokenCount": counts,
                "totalTokenCount": counts,
                "cachedContentTokenCount": counts,
                "toolUsePromptTokenCount": counts,
                "promptTokensDetails": details,
                "responseTokensDetails": details,
                "candidatesTokensDetails": details,
                "cacheTokensDetails": details,
                "toolUsePromptTokensDetails": details,
            },
        ),
        min_size=1,
        max_size=2,
    )
)
def test_any_usage_has_a_record_a_bill_and_a_table(tmp_path_factory, bills):
    """Whatever a service may count, the run ends, costs what is not negative, and its table is written and read again."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "activityEnd" in frame.get("realtimeInput", {}):
            for bill in bills:
                line.say({"usageMetadata": bill})
            text = {"inputTranscription": {"text": " hello"}, "turnComplete": True}
            line.say({"serverContent": text})

    folder = tmp_path_factory.mktemp("run")
    made = plan([utterance(0)])
    tally = run_virtual(run(made, folder, Service(answer)))
    (record,) = read_journal(folder)
    assert "ok" == record.outcome
    negative = any(
        count is not None and count < 0
        for bill in bills
        for field in bill.values()
        for count in ([one["tokenCount"] for one in field] if isinstance(field, list) else [field])
    )
    assert negative == any("negative" in one for one in record.violations)
    billed = bill_usd(MODEL, record.usage)
    assert tally.cost_usd == pytest.approx(spent_usd(record))
    assert tally.cost_usd >= 0
    if negative:
        assert (Usage(), None) == (record.usage, billed)
        assert estimate_usd(MODEL, transcription(1.0)) == pytest.approx(tally.cost_usd)
    table = run_table(folder, made, [record], SpeechBook(folder), profile="norm-1n", metric="auto")
    write_files(folder, table_files(table, excel=False))
    (row,) = read_run(folder).to_dict("records")
    assert "ok" == row["outcome"]
    for name in ("prompt_tokens", "response_tokens", "total_tokens", "thoughts_tokens"):
        told = getattr(record.usage, name)
        assert told == row[name] if told is not None else pd.isna(row[name])
    assert (
        billed == pytest.approx(row["cost_usd"]) if billed is not None else pd.isna(row["cost_usd"])
    )


@pytest.mark.parametrize("tokens", [-(10**30), 10**30, 10**400], ids=["-10^30", "10^30", "10^400"])
def test_a_journal_with_counts_that_cannot_be_is_named(tmp_path, tokens):
    """A record of an earlier version that counts more than a table holds is named by its line."""
    made = plan([utterance(0)])
    run_virtual(run(made, tmp_path, billing([7], [False])))
    path = tmp_path / JOURNAL
    path.write_text(path.read_text().replace('"total_tokens":7', f'"total_tokens":{tokens}'))
    with pytest.raises(InputError, match=r"journal\.jsonl:1.*\n.*total_tokens"):
        read_journal(tmp_path)


@pytest.mark.parametrize("tokens", [2**31, 10**400], ids=["2^31", "10^400"])
@pytest.mark.parametrize("where", ["total", "detail"])
def test_a_count_that_no_message_holds_fails_its_session_alone(tmp_path, tokens, where):
    """A number beyond the protocol's is refused as the peer's fault; what else is planned goes on."""
    sent = []

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "activityEnd" in frame.get("realtimeInput", {}):
            sent.append(line)
            detail = [{"modality": "AUDIO", "tokenCount": tokens}]
            bill = (
                {"totalTokenCount": tokens} if where == "total" else {"promptTokensDetails": detail}
            )
            text = {"inputTranscription": {"text": " hello"}, "turnComplete": True}
            line.say({"serverContent": text} | ({"usageMetadata": bill} if len(sent) == 1 else {}))

    made = plan([utterance(n) for n in range(3)])
    run_virtual(run(made, tmp_path, Service(answer), concurrency=1))
    records = read_journal(tmp_path)
    assert 1 == sum(record.failure is not None for record in records)
    assert 3 == len({record.utterance for record in records})


def test_what_breaks_for_good_is_estimated_behind_its_last_bill(tmp_path):
    """An attempt that fails behind a bill costs that bill and an estimate of what was sent since; one that ends well, its bill."""
    frames = []

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "audio" in frame.get("realtimeInput", {}):
            frames.append(line)
            if len(frames) == 5:
                detail = [{"modality": "AUDIO", "tokenCount": 12}]
                usage = {"promptTokenCount": 12, "totalTokenCount": 12}
                line.say({"usageMetadata": usage | {"promptTokensDetails": detail}})
            if len(frames) == 15:
                line.hang_up(1011, "Internal error encountered.")
        elif "activityEnd" in frame.get("realtimeInput", {}):
            detail = [{"modality": "AUDIO", "tokenCount": 50}]
            usage = {"promptTokenCount": 50, "totalTokenCount": 50, "promptTokensDetails": detail}
            said = {"inputTranscription": {"text": " hello"}, "turnComplete": True}
            line.say({"serverContent": said, "usageMetadata": usage})

    made = plan([utterance(0, 2.0)])
    tally = run_virtual(run(made, tmp_path, Service(answer)))
    broken, whole = read_journal(tmp_path)
    assert ("transient", None) == (broken.failure, whole.failure)
    assert 10 * 1_600 == broken.unbilled_samples
    assert 0 == whole.unbilled_samples
    more = estimate_usd(MODEL, transcription(1.0))
    assert 0 < more
    assert bill_usd(MODEL, broken.usage) + more == pytest.approx(spent_usd(broken))
    assert bill_usd(MODEL, whole.usage) == pytest.approx(spent_usd(whole))
    assert spent_usd(broken) + spent_usd(whole) == pytest.approx(tally.cost_usd)


@pytest.mark.parametrize("side", ["prompt_by_modality", "response_by_modality"])
def test_a_service_that_pays_back_is_not_believed(side):
    """A bill with fewer tokens than none has no price, and counts for the budget as an estimate: never below nothing."""
    record = msgspec.json.decode(
        b'{"utterance":"u","dataset":"d","locale":"en-US","model":"%s","repeat":1,"attempt":1,"final":true,"trace":null,'
        b'"outcome":"ok","started_at":"","audio_samples":16000,"usage":{"records":1,"%s":{"AUDIO":-2147483648}}}'
        % (MODEL.encode(), side.encode()),
        type=UtteranceRecord,
    )
    assert bill_usd(MODEL, record.usage) is None
    assert estimate_usd(MODEL, transcription(1.0)) == spent_usd(record)


def test_what_is_sent_again_is_paid(tmp_path):
    """Where no bill comes, audio that a break had sent twice is estimated twice, and reserved before it is sent."""
    made, setups = plan([utterance(0, 3.0)]), {MODEL: resumable(MODEL)}
    tally = run_virtual(run(made, tmp_path / "a", breaking_once(), setups=setups))
    (record,) = read_journal(tmp_path / "a")
    (seam,) = record.replays
    assert 0 < seam.samples
    whole = estimate_usd(MODEL, transcription(3.0 + seam.samples / 16_000))
    assert whole == pytest.approx(spent_usd(record)) == pytest.approx(tally.cost_usd)
    once = estimate_usd(MODEL, transcription(3.0))
    for budget, lines in ((0.99 * whole, 1), (1.01 * whole, 2)):
        assert once < budget
        service = breaking_once()
        folder = tmp_path / str(lines)
        run_virtual(run(made, folder, service, setups=setups, budget_usd=budget))
        assert lines == len(service.lines)


@pytest.mark.capability("usage: absent is unknown", side="parts")
@pytest.mark.parametrize(
    ("told", "answered", "priced"),
    [
        ({"total_tokens": 32}, 0, True),  # ProtoJSON leaves a count of 0 out
        ({"total_tokens": 95}, None, False),
        ({}, None, False),
        ({"total_tokens": 95, "response_tokens": 63}, 63, False),
        ({"total_tokens": 95, "response_by_modality": {"TEXT": 63}}, None, True),
        ({"total_tokens": 95, "response_tokens": 63, "response_by_modality": {"TEXT": 63}}, 63, True),
        ({"total_tokens": 136, "thoughts_tokens": 104}, 0, True),
    ],
)  # fmt: skip
def test_an_answer_that_nobody_counted_is_not_free(told, answered, priced):
    """Tokens answered are 0 where the total leaves none; where they are unknown a bill has no price, and a budget counts an estimate."""
    bill = Usage(records=1, prompt_tokens=32, prompt_by_modality={"AUDIO": 32}, **told)
    model = "gemini-3.5-transcribe-live"
    record = UtteranceRecord(
        utterance="u", dataset="d", locale="en-US", model=model, repeat=1, attempt=1, final=True, trace=None,
        outcome="ok", failure=None, started_at="", audio_samples=16_000, usage=bill,
    )  # fmt: skip
    assert answered == answered_tokens(bill)
    assert priced == (bill_usd(model, bill) is not None)
    if not priced:
        assert estimate_usd(model, transcription(1.0)) == spent_usd(record)


def test_thoughts_are_billed_as_text_answered():
    """A bill with thoughts, which lie outside its total and its details, costs what as much text would."""
    bill = Usage(
        records=1,
        total_tokens=564,
        prompt_by_modality={"AUDIO": 522},
        response_by_modality={"AUDIO": 42},
    )
    thinking = msgspec.structs.replace(bill, thoughts_tokens=136)
    model = "gemini-3.8-live"
    text_out = catalogue.find(model).price.text_out
    more = bill_usd(model, thinking) - bill_usd(model, bill)
    assert 136 * text_out / 1e6 == pytest.approx(more)
    assert bill_usd(model, thinking) == bill_usd(
        model, msgspec.structs.replace(bill, response_by_modality={"AUDIO": 42, "TEXT": 136})
    )


@pytest.mark.capability("usage: tool-use tokens", side="parts")
@pytest.mark.parametrize(
    "details, price", [({}, "text_in"), ({"TEXT": 90}, "text_in"), ({"IMAGE": 90}, "image_in")]
)
def test_what_tools_found_is_billed_as_sent(details, price):
    """A bill with findings costs what as much of their modality would in the prompt, text where it does not say."""
    bill = Usage(records=1, total_tokens=522, prompt_by_modality={"AUDIO": 522})
    found = msgspec.structs.replace(bill, tool_use_tokens=90, tool_use_by_modality=details)
    model = "gemini-3.8-live"
    more = bill_usd(model, found) - bill_usd(model, bill)
    assert 90 * getattr(catalogue.find(model).price, price) / 1e6 == pytest.approx(more)


@pytest.mark.capability("usage: cached tokens", side="parts")
def test_what_came_from_a_cache_costs_as_much():
    """No price of the Live API's for cached tokens is published, so they cost what the rest of the prompt does."""
    bill = Usage(records=1, total_tokens=522, prompt_by_modality={"AUDIO": 522})
    cached = msgspec.structs.replace(bill, cached_tokens=400, cached_by_modality={"AUDIO": 400})
    assert bill_usd("gemini-3.8-live", bill) == bill_usd("gemini-3.8-live", cached)
