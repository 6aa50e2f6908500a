"""What training steps spend their time on: make bench-profile.

TensorFlow's profiler tells the time in which each op ran in a thread; ops run
side by side, so that their sum is above that of the clock.
"""

import collections
import pathlib
import re
import tempfile
from collections.abc import Callable

from tests.bench import machine
from tests.bench.ours import steps

import tensorflow as tf  # isort: skip
from tensorflow.tsl.profiler.protobuf import xplane_pb2  # isort: skip

STEPS = {
    "contrastive, width 1, 2 x 16 views": lambda: steps.contrastive(1.0, 16),
    "contrastive, width 1/4, 2 x 128 views": lambda: steps.contrastive(
        0.25, 128
    ),
    "MixIT, TDCN++, 2 pairs of 2 s": lambda: steps.separation(2, 2.0),
}
SHOWN = 8
# Told of the whole step, or of what runs it.
_NO_OPS = re.compile("Executor|EagerLocalExecute|KernelAndDevice|__inference")


def profile(step: Callable[[], object]) -> collections.Counter:
    """Kind of op -> seconds in all threads, of one call."""
    for _ in range(2):  # The first one is traced.
        step()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        step()
        tf.profiler.experimental.stop()
        [file] = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    seconds = collections.Counter()
    for plane in space.planes:
        names = {key: of.name for key, of in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                name, _, kind = names[event.metadata_id].rpartition(":")
                if name and not _NO_OPS.search(name + kind):
                    seconds[kind] += event.duration_ps / 1e12
    return seconds


def main() -> None:
    print(machine.description())
    for title, make in STEPS.items():
        seconds = profile(make().turn)
        total = sum(seconds.values())
        print(f"\n{title}: {total:.2f} s in all threads")
        for kind, value in seconds.most_common(SHOWN):
            print(f"{value / total:7.1%} {value:8.3f} s  {kind}", flush=True)


if __name__ == "__main__":
    main()
