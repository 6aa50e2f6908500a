r"""Exports an encoder, a separator or both for TensorFlow Serving.

  python evaluate/export_saved_model.py --encoder=runs/pretrain \
      --output=runs/export
  python evaluate/export_saved_model.py --separator=runs/separation \
      --processor=S2 --output=runs/export

Writes <output>/<version>/, a SavedModel in the layout that TensorFlow Serving
watches. Each signature takes `waveform` [B, T] float32 in [-1, 1] at the
model's sample rate, for any B and T, and gives `valid` [B] beside:
  serving_default  `embedding` [B, d], one for each waveform; without
                   --encoder the same as separate
  windows          `windows` [B, W, d], one for each window
  scores           `scores` [B, C] of classes, means over the windows, where
                   the encoder's run holds a classifier.keras
  separate         `channels` [B, M, T], with --separator
A waveform is not valid where a sample is NaN, infinite or beyond +-1e6, and
where it has no samples; its other outputs are zeros then.
assets.extra/model.json in that folder says where the models come from. The
folder appears once it has been loaded again and agrees with Keras.
"""

import dataclasses
import pathlib
import shlex
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import entry_point, flag_fields
from data.run.flag_fields import option
from evaluate.serving import served_runs


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """The flags of this entry point."""

    encoder: str = option(
        "", "run directory of pretrain_contrastive or import_panns"
    )
    output: str = option(
        "", "folder of the served model's versions", required=True
    )
    version: int = option(1, "number of this version", minimum=1)
    separator: str = option(
        "", "run directory of train_separation or import_separator"
    )
    processor: str = option(
        "", "which separator of that run; empty: its only one"
    )
    remake: bool = option(
        False, "replace that version where it holds another model"
    )

    def __post_init__(self):
        if not self.encoder and not self.separator:
            raise ValueError(
                "--encoder is empty and so is --separator: name a folder"
            )
        if not self.output:
            raise ValueError("--output is empty: name a folder")
        if self.processor and not self.separator:
            raise ValueError(
                f"--processor={self.processor} needs --separator: name the "
                "run that it is of"
            )


def main() -> None:
    config = flag_fields.read(ExportConfig)
    files = served_runs.find(config.encoder, config.separator, config.processor)
    digests = served_runs.digests_of(files)
    folder = pathlib.Path(config.output, str(config.version))
    if served_runs.is_exported(digests, folder, config.remake):
        print(f"{folder} holds this model already: nothing to do")
        return

    from evaluate.serving import saved_model

    print("\n".join(saved_model.export(files, digests, folder)))
    name = "embedding" if config.encoder else "separation"
    print(_how_to_serve(folder, name))


def _how_to_serve(folder: pathlib.Path, name: str) -> str:
    mount = shlex.quote(f"{folder.parent.resolve()}:/models/{name}")
    return (
        "look at it: saved_model_cli show --all --dir "
        f"{shlex.quote(str(folder))}\n"
        f"serve it: docker run -p 8500:8500 -p 8501:8501 -v {mount} "
        f"-e MODEL_NAME={name} tensorflow/serving"
    )


if __name__ == "__main__":
    flag_fields.define(ExportConfig)
    entry_point.run(main)
