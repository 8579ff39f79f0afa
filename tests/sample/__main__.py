"""`python -m tests.sample`: make `reports/sample` again.

`record` lets a recogniser hear its recordings anew first, `picture` takes the README's picture of it afterwards.
"""

from __future__ import annotations

import os
import sys

from tests.sample.made import HEARD, ROOT, replace_sample
from tests.sample.replay import Recorder, Replayed, read_recording, recording_bytes


def main(arguments: list[str]) -> None:
    """Do what is asked."""
    os.chdir(ROOT)
    if "record" in arguments:
        from harness.emulator.ear import ears

        recorder = Recorder(ears.load("whisper"))
        replace_sample(recorder)
        HEARD.write_bytes(recording_bytes(recorder.recording))
    replace_sample(Replayed(read_recording(HEARD)))
    if "picture" in arguments:
        from tests.sample.picture import take_picture

        take_picture()


if __name__ == "__main__":
    main(sys.argv[1:])
