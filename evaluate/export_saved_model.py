r"""Exports an encoder, a separator or both for TensorFlow Serving.

  python evaluate/export_saved_model.py --encoder=runs/pretrain \
      --output=runs/export
  python evaluate/export_saved_model.py --separator=runs/separation \
      --processor=S2 --output=runs/export

Writes <output>/<version>/, a SavedModel in the layout that TensorFlow Serving
watches; versions count up, and the same model is not written twice. A signature
takes `waveform` [B, T] float32 in [-1, 1] at the model's sample rate, for any B
and T, and gives `valid` [B] beside:
  serving_default  `embedding` [B, d], one for each waveform; without
                   --encoder the same as separate
  padded           the same of clips of different length: `num_samples` [B]
                   int32 says how much of each row is the clip
  audio_bytes      the same of WAV files: `audio_bytes` [B] strings
  windows          `windows` [B, W, d] of each window, and its `start_s` and
                   `end_s` [B, W]
  scores           `scores` [B, C] of classes, means over the windows, where
                   the encoder's run holds a classifier.keras; padded and
                   audio_bytes give them too
  separate         `channels` [B, M, T], with --separator
A waveform is not valid where a sample is NaN, infinite or beyond +-1e6, and
where it has no samples; its other outputs are zeros then. In that folder,
assets.extra/model.json says where the models come from. It appears once it has
been loaded again and agrees with Keras. What a server is to be started with is
beside it: models.config and batching_parameters.txt.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import entry_point, flag_fields
from data.run.flag_fields import option
from evaluate.serving import served_runs, server_files


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """The flags of this entry point."""

    encoder: str = option(
        "", "run directory of pretrain_contrastive or import_panns"
    )
    output: str = option(
        "", "folder of the served model's versions", required=True
    )
    version: int = option(
        0, "number of this version; 0: the next, if it is new", minimum=0
    )
    separator: str = option(
        "", "run directory of train_separation or import_separator"
    )
    processor: str = option(
        "", "which separator of that run; empty: its only one"
    )
    remake: bool = option(
        False, "replace that version, or the newest, by another model"
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
    output = pathlib.Path(config.output)
    version = config.version or served_runs.next_version(
        digests, output, config.remake
    )
    folder = output / str(version)
    name = "embedding" if config.encoder else "separation"
    if served_runs.is_exported(digests, folder, config.remake):
        server_files.write(output, name)
        print(f"{folder} holds this model already: nothing to do")
        return

    from evaluate.serving import saved_model

    print("\n".join(saved_model.export(files, digests, folder, name)))
    server_files.write(output, name)
    print(server_files.how_to_serve(folder, name))


if __name__ == "__main__":
    flag_fields.define(ExportConfig)
    entry_point.run(main)
