"""The pool's real work: clips prepared once for all who want them."""

from __future__ import annotations

from collections import Counter

from harness.clock import run_virtual
from tests.run.runs import clip, plan, run, utterance
from tests.session.memory import MODEL, Service, polite


def test_a_clip_is_prepared_once_for_all_models_and_repeats(tmp_path):
    """Two models and three repeats of an utterance read its clip once, however many sessions there are at a time."""
    read: Counter = Counter()

    def load(planned):
        read[planned.id] += 1
        return clip(planned)

    made = plan([utterance(n, 1.0) for n in range(8)], models=(MODEL, "another"), repeats=3)
    tally = run_virtual(run(made, tmp_path, Service(polite(" hello")), concurrency=5, load=load))
    assert 48 == tally.done
    assert {1} == set(read.values())
