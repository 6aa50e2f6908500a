"""Sizes of the published networks, layer by layer: python -m models.summary."""

import math
from collections.abc import Callable
from itertools import groupby

import keras

from models.cnn14.cnn14 import CNN14
from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel
from models.heads.linear_classifier import LinearClassifier
from models.multiply_adds import LayerCall, layer_calls
from models.separation.separator import Separator
from models.separation.tdcn import TDCN

CLIP_S = 10
_HEADINGS = ("layer", "output", "parameters", "multiply-adds/s, millions")
# In place of these, the layers inside them are shown.
_OPENED = (Separator, TDCN, CNN14)

_NOTES = f"""\
Outputs are those of {CLIP_S} s of sound. A multiply-add is one multiplication \
with
its addition. Products of matrices, convolutions and mel bands are counted;
FFTs, and what is done to single values, are not."""
_PANNS = """\
PANNs gives 80,753,615 parameters, the trainable ones, and 42.22e9 multi-adds
for 10 s at 32 kHz: it counts multiplications and additions apart, the STFT as
a convolution, and two for each value that is batch-normed."""


def separator(num_sources: int) -> str:
    """TDCN++ with the sizes of the reference."""
    network = Separator(num_sources)
    return _table([network], network, network.sample_rate_hz)


def encoder(embedding_dim: int) -> str:
    """The encoder of the slides behind its front end."""
    frontend = LogMel(name="log_mel")
    network = CNN14(embedding_dim)
    return _table(
        [frontend, network],
        lambda waveform: network(frontend(waveform)),
        frontend.sample_rate_hz,
    )


def tagger() -> str:
    """CNN14 as PANNs published it, at 32 kHz."""
    frontend = PANNsLogMel(32000, name="log_mel")
    network = CNN14(None, hidden_layer=True)
    classifier = LinearClassifier(network.embedding_dim, 527, name="classes")
    return _table(
        [frontend, network, classifier],
        lambda waveform: classifier(network(frontend(waveform))),
        frontend.sample_rate_hz,
    )


def _table(
    networks: list[keras.layers.Layer], function: Callable, sample_rate_hz: int
) -> str:
    calls = layer_calls(function, (1, CLIP_S * sample_rate_hz))
    rows = [_HEADINGS]
    for size, alike in groupby(_shown(calls), _size):
        names = [call.layer.name for call in alike]
        # Blocks of one size make one row.
        name = " to ".join(dict.fromkeys([names[0], names[-1]]))
        shape, parameters, multiply_adds = size
        rows.append(
            (
                name,
                " x ".join(map(str, shape[1:])),
                f"{len(names) * parameters:,}",
                _millions_a_second(len(names) * multiply_adds),
            )
        )
    total = sum(call.multiply_adds for call in calls if call.depth == 0)
    parameters = sum(network.count_params() for network in networks)
    trainable = sum(
        math.prod(variable.shape)
        for network in networks
        for variable in network.trainable_variables
    )
    rows.append(("total", "", f"{parameters:,}", _millions_a_second(total)))
    rows.append(("trainable", "", f"{trainable:,}", ""))
    return _aligned(rows)


def _shown(calls: list[LayerCall]) -> list[LayerCall]:
    shown = []
    closed_depth = math.inf
    for call in calls:
        if call.depth > closed_depth:
            continue
        closed_depth = math.inf
        if not isinstance(call.layer, _OPENED):
            closed_depth = call.depth
            if call.multiply_adds or call.layer.count_params():
                shown.append(call)
    return shown


def _size(call: LayerCall) -> tuple:
    return call.output_shape, call.layer.count_params(), call.multiply_adds


def _millions_a_second(multiply_adds: int) -> str:
    return f"{multiply_adds / CLIP_S / 1e6:,.2f}"


def _aligned(rows: list[tuple[str, ...]]) -> str:
    name, shape, *numbers = (
        max(map(len, column)) for column in zip(*rows, strict=True)
    )
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(name),
                row[1].ljust(shape),
                *map(str.rjust, row[2:], numbers),
            ]
        ).rstrip()
        for row in rows
    )


def main() -> None:
    print(_NOTES)
    for title, table in (
        ("TDCN++, M = 8, as in the reference", lambda: separator(8)),
        ("TDCN++, M = 2", lambda: separator(2)),
        ('CNN14, d = 128: "~75M" on the slides', lambda: encoder(128)),
        ("CNN14, d = 1024", lambda: encoder(1024)),
        ("CNN14, as in PANNs", tagger),
    ):
        print(f"\n{title}\n{table()}")
    print(_PANNS)


if __name__ == "__main__":
    main()
