r"""Writes an encoder, a separator or both as ONNX files.

  python evaluate/export_onnx.py --encoder=runs/pretrain --output=runs/onnx

What is written to --output, for any B and T from 1 on:
  encoder.onnx    `waveform` [B, T] float32 in [-1, 1], at the model's sample
                  rate -> `embedding` [B, d]
  separator.onnx  `waveform` [B, T] -> `channels` [B, M, T]
A file appears once onnxruntime agrees with Keras. Needs tf2onnx, onnx and
onnxruntime: pip install onnx==1.17.0 tf2onnx==1.17.0 onnxruntime
With --tflite, encoder.tflite is written too, for TensorFlow Lite.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import entry_point, flag_fields
from data.run.flag_fields import option
from evaluate.serving import served_runs


@dataclasses.dataclass(frozen=True)
class OnnxConfig:
    """The flags of this entry point."""

    output: str = option("", "folder of the files", required=True)
    encoder: str = option(
        "", "run directory of pretrain_contrastive or import_panns"
    )
    separator: str = option(
        "", "run directory of train_separation or import_separator"
    )
    processor: str = option(
        "", "which separator of that run; empty: its only one"
    )
    tflite: bool = option(False, "write the encoder for TensorFlow Lite too")

    def __post_init__(self):
        if not self.encoder and not self.separator:
            raise ValueError(
                "--encoder is empty and so is --separator: name a folder"
            )
        if self.tflite and not self.encoder:
            raise ValueError("--tflite needs --encoder: name a folder")
        if not self.output:
            raise ValueError("--output is empty: name a folder")


def main() -> None:
    config = flag_fields.read(OnnxConfig)
    files = served_runs.find(config.encoder, config.separator, config.processor)
    files.pop(served_runs.CLASSIFIER, None)

    from evaluate.serving import onnx_file, served_networks, tflite_file
    from evaluate.serving.plain_graph import plain_graph

    output = pathlib.Path(config.output)
    for part, file in files.items():
        [network] = served_networks.load({part: file}).values()
        graph = plain_graph(part, network)
        kinds = {"onnx": onnx_file}
        if config.tflite and part == served_runs.ENCODER:
            kinds["tflite"] = tflite_file
        for suffix, kind in kinds.items():
            path = output / f"{part}.{suffix}"
            difference = kind.export(graph, path)
            print(f"{path} (largest difference to Keras {difference:.1e})")


if __name__ == "__main__":
    flag_fields.define(OnnxConfig)
    entry_point.run(main)
