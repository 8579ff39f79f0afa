"""What is promised of a run, and which test of every build shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.section import Section, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.section import Options

TESTS = Path(__file__).parents[1]

PROMISES = {
    "A run that dies at any write, sync or rename goes on to the tables of a run that nothing happened to": (
        "run/test_crash.py::test_a_run_that_dies_anywhere_is_continued_to_the_same_tables",
        "integration/test_stop.py::test_killed_at_random_instants_and_continued",
    ),
    "What was open when a run was killed is in its report as in the journal of whoever goes on; a session whose trace lies there is not asked for again": (
        "run/test_orphans.py::test_a_report_counts_what_a_continuation_would",
        "run/test_orphans.py::test_a_report_of_a_killed_run_names_and_prices_what_was_open",
        "run/test_orphans.py::test_a_session_whose_trace_lies_there_is_not_paid_twice",
        "run/test_orphans.py::test_no_session_is_paid_again_whose_line_is_lost",
    ),
    "A run folder that has lost its plan goes on by the same command, and one that cannot be read is named, not paid for again": (
        "run/test_runs.py::test_a_plan_that_is_gone_is_written_again",
        "run/test_runs.py::test_a_folder_of_another_name_is_known_by_its_traces",
        "run/test_runs.py::test_an_unfinished_run_that_cannot_be_read_is_not_paid_again",
        "chaos/test_folders.py::test_a_damaged_run_goes_on_or_names_the_file",
    ),
    "What could not be sent is sent alone once it is mended; a clip that was sent is never replaced": (
        "run/test_identity.py::test_a_run_stays_the_same_where_nothing_that_was_sent_has_changed",
        "run/test_identity.py::test_a_finished_run_goes_on_with_what_was_mended_and_nothing_else",
        "run/test_identity.py::test_a_mended_clip_whose_line_is_lost_is_not_paid_again",
        "run/test_identity.py::test_a_mended_run_is_known_though_its_plan_is_gone",
        "integration/test_command.py::test_a_mended_clip_is_sent_alone",
    ),
    "A torn journal line is repaired, a corrupt one named": (
        "run/test_journal.py::test_a_torn_line_is_repaired",
        "run/test_journal.py::test_a_corrupt_line_in_the_middle_is_named",
        "run/test_journal.py::test_any_bytes_are_read_or_named",
        "run/test_journal.py::test_a_line_without_end_is_named",
        "run/test_journal.py::test_what_is_no_file_is_named",
        "test_trace.py::test_any_bytes_are_a_trace_or_named",
    ),
    "No file of a run becomes memory: lines of gigabytes, bombs, objects and nesting without end are named": (
        "run/test_journal.py::test_ten_gigabytes_without_a_line_end_take_no_memory",
        "run/test_journal.py::test_ten_gigabytes_in_the_place_of_a_document_are_named",
        "run/test_journal.py::test_deep_json_is_named",
        "test_trace.py::test_a_bomb_of_half_a_gigabyte_is_named",
        "test_trace.py::test_a_trace_of_objects_without_end_is_named",
        "run/test_farm.py::test_a_line_holds_the_longest_record",
    ),
    "Two processes cannot run in one folder": (
        "run/test_journal.py::test_two_processes_cannot_write_one_journal",
        "integration/test_stop.py::test_two_commands_cannot_run_in_one_folder",
    ),
    "A full disk and a folder that cannot be written are named, and nothing is lost": (
        "run/test_crash.py::test_a_disk_that_fills_anywhere_is_named",
        "run/test_certificate.py::test_a_full_disk_is_named_and_tears_no_line",
        "run/test_journal.py::test_nothing_is_written_behind_half_a_line",
        "run/test_journal.py::test_a_folder_that_cannot_be_written_is_named",
        "run/test_journal.py::test_what_to_do_about_a_place_is_told_by_its_fault",
        "run/test_journal.py::test_a_journal_that_is_removed_is_told_at_the_next_record",
        "report/test_build.py::test_a_place_that_takes_no_change_is_named",
        "integration/test_stop.py::test_a_folder_that_is_moved_is_told_and_goes_on_where_it_was",
    ),
    "A wall clock that is set changes no figure; a machine that slept reports no latency": (
        "run/test_time.py::test_a_wall_clock_that_is_set_changes_no_figure",
        "run/test_time.py::test_sleep_that_the_loops_clock_does_not_count_is_noticed",
        "run/test_time.py::test_a_process_that_stood_still_reports_no_latency",
        "integration/test_stop.py::test_a_stopped_process_flags_its_latencies",
    ),
    "Every fault of network and service ends in its outcome within its wait, its attempts recorded": (
        "chaos/test_faults.py::test_a_fault_has_its_outcome",
        "chaos/test_faults.py::test_a_fault_met_once_is_survived",
        "chaos/test_faults.py::test_a_storm_ends",
        "chaos/test_faults.py::test_every_quirk_is_met",
    ),
    "TLS that is wrong, names without address and closed ports are told as such": (
        "chaos/test_sockets.py::test_a_fault_over_sockets_has_its_outcome",
        "chaos/test_sockets.py::test_where_nobody_is_nothing_is_asked",
    ),
    "Refusals for quota lower the number of sessions, and it recovers; no utterance fails for quota": (
        "chaos/test_quota.py::test_no_utterance_fails_for_quota",
        "run/test_pool.py::test_concurrency_recovers_when_the_quota_does",
        "run/test_farm.py::test_a_quota_holds_over_all_processes",
    ),
    "An outage ends no run: who cannot be reached is looked for by one connection at a time, and what is left is a row": (
        "run/test_pool.py::test_an_outage_pauses_the_run_and_fails_nothing",
        "run/test_pool.py::test_many_that_find_nobody_at_once_find_nobody_once",
        "run/test_pool.py::test_a_service_that_is_gone_is_not_flooded",
        "run/test_pool.py::test_an_outage_without_end_leaves_a_row_for_everything",
        "run/test_pool.py::test_who_is_never_reached_holds_up_nobody",
        "run/test_farm.py::test_a_process_that_dies_is_no_answer_of_the_service",
        "cli/test_sitting.py::test_what_was_not_reached_is_incomplete_until_it_is",
    ),
    "HTTP 502, 503 and 504 at the upgrade are an outage, with Retry-After or without: an utterance has twenty attempts, and what was never let through is tried again by the same command": (
        "chaos/test_faults.py::test_a_fault_has_its_outcome",
        "run/test_pool.py::test_who_answers_for_a_service_that_is_away_is_not_flooded",
        "run/test_pool.py::test_a_service_that_stays_away_leaves_a_row_for_everything",
        "run/test_pool.py::test_an_outage_that_asks_for_a_wait_fails_nothing",
        "run/test_pool.py::test_who_was_away_before_a_stop_costs_no_attempt_behind_it",
    ),
    "Retry-After is obeyed by all sessions: up to five minutes the run waits, and where it asks for more it stops and says until when": (
        "chaos/test_quota.py::test_retry_after_is_obeyed",
        "run/test_pool.py::test_who_asks_for_a_short_wait_is_asked_by_nobody_before",
        "run/test_pool.py::test_who_was_not_told_waits_with_who_was",
        "run/test_pool.py::test_who_asks_for_a_longer_wait_is_not_asked_before",
        "session/test_drive.py::test_a_break_is_not_gone_on_with_before_the_service_allows_it",
        "session/test_transport.py::test_retry_after_is_seconds_or_a_date",
    ),
    "A rate of sessions is kept exactly, over all processes; one of tokens by estimates until the bills are in, and what they are beyond is made up for": (
        "run/test_rate.py::test_no_minute_has_more_than_its_limit",
        "run/test_rate.py::test_a_run_keeps_its_rate_exactly",
        "run/test_rate.py::test_bills_beyond_the_estimates_are_made_up_for",
        "run/test_rate.py::test_what_is_sent_again_counts",
        "run/test_farm.py::test_a_rate_holds_over_all_processes",
    ),
    "A long recording is whole; what is lost or doubled at a seam is counted and shown": (
        "integration/test_long.py::test_a_long_recording_is_whole",
        "integration/test_long.py::test_handles_that_go_stale_lose_nothing",
        "integration/test_long.py::test_what_is_lost_at_a_seam_is_counted_and_shown",
    ),
    "A budget is passed by no more than the sessions that are open, however often the run is stopped or killed with its sessions open: each is counted, by its estimate; usage that nobody told is estimated and said": (
        "run/test_budget.py::test_a_budget_is_passed_by_no_more_than_what_was_open",
        "run/test_budget.py::test_a_budget_holds_over_sittings_that_were_cut_off",
        "run/test_farm.py::test_what_processes_had_open_when_a_run_ended_is_paid",
        "run/test_ledger.py::test_what_was_open_is_known_after_a_kill",
        "run/test_budget.py::test_what_was_sent_again_when_a_run_was_cut_off_is_paid",
        "run/test_budget.py::test_without_bills_the_estimate_is_never_passed",
        "run/test_budget.py::test_a_session_that_does_not_fit_is_not_passed_over",
        "run/test_budget.py::test_unknown_usage_is_estimated_for_the_budget_and_said_in_the_report",
        "run/test_pool.py::test_the_budget_holds_over_sittings_and_without_bills",
        "run/test_farm.py::test_what_was_sent_again_before_a_process_died_is_paid",
        "run/test_farm.py::test_a_text_whose_process_died_is_paid_in_every_sitting",
        "session/test_drive.py::test_what_is_sent_again_is_asked_for_once",
    ),
    "A budget for a model without a price is refused before anything is sent": (
        "integration/test_command.py::test_a_budget_needs_a_price",
        "run/test_plan.py::test_a_budget_binds_what_has_a_price",
    ),
    "No secret is in any output of a run, echoed plain, cut, split, JSON-escaped, percent-encoded, in base64 or hex, as references of HTML or with blanks between": (
        "run/test_secrets.py::test_a_faulty_run_leaves_no_secret_anywhere",
        "run/test_secrets.py::test_every_form_of_an_echo_is_masked",
        "run/test_secrets.py::test_a_cut_or_divided_echo_is_masked",
        "run/test_secrets.py::test_a_message_is_searched_faster_than_it_could_be_read",
    ),
    "No secret is typed, nor in a list of processes, nor in what is written of a bug": (
        "cli/test_told.py::test_no_secret_can_be_typed",
        "run/test_farm.py::test_no_process_is_started_with_a_secret",
        "cli/test_told.py::test_a_bug_tells_no_secret",
    ),
    "Manifests lead out of no folder, and any bytes in them are an utterance or a named fault": (
        "corpus/test_manifest.py::test_no_path_leaves_the_fence",
        "corpus/test_faults.py::test_a_symbolic_link_that_leads_out_is_a_fault",
        "corpus/test_faults.py::test_a_pipe_is_not_audio_and_nobody_waits_for_it",
        "corpus/test_hostile.py::test_any_manifest_is_used_as_far_as_it_can_be",
        "corpus/test_manifest.py::test_a_line_of_ten_gigabytes_takes_no_time",
    ),
    "No archive is ever opened": (
        "corpus/test_shelf.py::test_an_archive_is_named_and_never_opened",
    ),
    "Audio that lies about its length, rate or coding is heard as far as it is there, or named": (
        "audio/test_hostile.py::test_a_header_that_lies_is_read_or_named",
        "audio/test_hostile.py::test_any_wav_header_is_read_or_named",
        "audio/test_hostile.py::test_any_damaged_file_is_read_or_named",
    ),
    "Frames of a service of any size, number and shape leave a record, in bounded memory and room": (
        "chaos/test_fuzz.py::test_any_frame_is_taken_or_refused",
        "chaos/test_examples.py::test_any_example_is_taken_or_named",
        "run/test_pool.py::test_any_frame_leaves_a_record",
        "run/test_pool.py::test_a_flood_is_bounded_for_an_utterance_not_for_an_attempt",
        "session/test_drive.py::test_a_service_that_sends_without_end_is_left",
        "run/test_pool.py::test_floods_are_bounded_together_and_spare_who_does_not_flood",
        "session/test_transport.py::test_what_is_not_whole_is_bounded_over_all_connections",
        "session/test_probes.py::test_a_flood_is_told_and_not_kept",
        "session/test_drive.py::test_text_without_end_is_judged_to_a_length",
        "session/test_transport.py::test_a_peer_that_pings_and_reads_nothing_fills_no_memory",
        "wire/test_codec.py::test_a_count_that_no_proto_holds_is_refused",
        "wire/test_codec.py::test_a_frame_of_nothing_but_objects_is_refused",
    ),
    "The emulator listens on loopback, bounds what a client may take, and survives hostile ones": (
        "emulator/test_command.py::test_one_line_says_that_it_is_ready",
        "emulator/test_serve.py::test_a_message_too_big_is_refused",
        "emulator/test_serve.py::test_one_session_too_many_is_refused_for_quota",
        "emulator/test_serve.py::test_who_has_most_kept_makes_room",
        "emulator/test_conversation.py::test_what_handles_keep_is_bounded",
        "emulator/test_tokens.py::test_large_requests_leave_room_for_few",
        "emulator/test_serve.py::test_nothing_that_comes_in_stops_it",
    ),
    "Every session is checked against what must hold of every session, and what it breaks is shown": (
        "run/test_invariants.py::test_our_sessions_break_nothing",
        "run/test_invariants.py::test_what_is_broken_is_found",
        "run/test_invariants.py::test_times_that_go_back_are_found",
        "run/test_invariants.py::test_a_clock_that_goes_back_is_found",
        "run/test_invariants.py::test_a_clip_that_was_not_sent_as_it_is_is_found",
    ),
    "A session whose messages held other samples than the clip's own, in order and once each, says so in its trace": (
        "run/test_invariants.py::test_a_message_that_holds_other_samples_is_found",
        "run/test_invariants.py::test_a_frame_sent_twice_or_skipped_is_found",
        "run/test_invariants.py::test_another_place_on_resumption_is_found",
        "run/test_invariants.py::test_a_note_of_what_was_sent_cannot_be_altered",
        "report/test_verify.py::test_another_clip_in_one_attempt_than_in_another_is_named",
    ),
    "A report works everything out again, and names a journal line, trace or table that was changed": (
        "report/test_verify.py::test_a_report_names_what_its_traces_do_not_give",
        "report/test_verify.py::test_a_record_that_its_trace_does_not_give_is_named",
        "report/test_verify.py::test_a_table_that_the_journal_does_not_give_is_named",
        "report/test_verify.py::test_speech_that_is_not_what_came_is_named",
        "report/test_verify.py::test_what_is_found_is_said_though_there_is_no_report",
        "report/test_verify.py::test_a_record_that_no_line_held_is_no_contradiction",
        "report/test_verify.py::test_a_plan_of_another_run_is_named",
        "report/test_verify.py::test_writing_it_again_changes_no_byte",
    ),
    "Text that came too late for its session, as far as that can be known, is warned of": (
        "report/test_late_text.py::test_text_within_the_wait_is_heard_and_says_how_near_it_was",
        "report/test_late_text.py::test_text_behind_the_wait_is_lost_and_its_lack_is_told",
        "report/test_late_text.py::test_a_session_that_listens_longer_hears_it",
    ),
    "A signal drains, a second one stops now; both leave a run that goes on, and no process": (
        "integration/test_stop.py::test_one_sigterm_drains",
        "integration/test_stop.py::test_a_second_sigterm_stops_now",
        "integration/test_stop.py::test_a_second_ctrl_c_right_behind_the_first_stops_now",
        "integration/test_stop.py::test_ctrl_c_does_not_wait_for_a_conversion",
        "integration/test_stop.py::test_an_interrupted_report_is_written_by_the_same_command",
        "integration/test_stop.py::test_ctrl_c_reaches_the_runs_own_emulator_through_the_run",
        "emulator/test_command.py::test_no_process_is_left_behind",
    ),
}
"""What is promised, and the tests that show it, below this folder's."""


def missing() -> Iterator[str]:
    """Yield the tests that are named and are nowhere."""
    for named in PROMISES.values():
        for one in named:
            file, _, test = one.partition("::")
            path = TESTS / file
            if not path.exists() or not re.search(
                rf"^(async )?def {test}\(", path.read_text(), re.MULTILINE
            ):
                yield one


def section(options: Options) -> Section:
    """Return the table of promises; nothing of it is done here."""
    del options
    rows: list[list[object]] = [
        [promise, "<br>".join(f"`{one}`" for one in named)] for promise, named in PROMISES.items()
    ]
    text = "Each is shown by tests of every build, whose docstrings say how.\n\n"
    return Section(
        title="Promises",
        text=text + table(["what holds", "shown by, below `tests/`"], rows),
        broken=[f"there is no {one}" for one in missing()],
    )
