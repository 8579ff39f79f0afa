"""What the page says of our own punctuality."""

from __future__ import annotations

import msgspec

from harness.report.build import build_reports
from harness.run.certificate import CERTIFICATE, Certificate, Sample


def test_the_page_shows_what_was_seen_of_every_process(run):
    """Every streaming process has a row with its figures and a line in both plots; without any there is no section."""
    folder = run()
    build_reports(folder)
    assert "<summary>Pacing certificate" not in (folder / "report.html").read_text()
    seen = [
        Certificate(
            started_at="2026-11-21T14:03:12.000Z", process=number, processes=2, wall_s=60.0, cpu_s=12.0,
            floor_p50_ms=0.1, floor_p99_ms=0.4, lag_p50_ms=0.2, lag_p99_ms=1.5, lag_max_ms=7.25, gc_pauses=3,
            gc_total_ms=9.0, gc_max_ms=4.5, open_max=40 + number,
            samples=[Sample(t=float(t), open=t, lag_max_ms=t / 4, cpu=0.2) for t in range(0, 60, 10)],
        )
        for number in (1, 2)
    ]  # fmt: skip
    (folder / CERTIFICATE).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in seen))
    build_reports(folder)
    page = (folder / "report.html").read_text()
    section = page.partition("<summary>Pacing certificate")[2].partition("</details>")[0]
    for words in ("2/2", "20.0 %", "42", "7.2 ms", "Sessions open", "Loop late"):
        assert words in section
    assert 2 == section.count('<td class="n">1/2</td>') + section.count('<td class="n">2/2</td>')
    assert 4 == section.count('class="line s0" d="M5') + section.count('class="line s1" d="M5')
