"""Makes an encoder and a classifier of a published checkpoint of PANNs.

Reads a .pth of Cnn14, Cnn14_16k or Cnn14_8k (Kong et al., TASLP 2020) without
torch, and without running anything in it.

  python train/import_panns.py --checkpoint=Cnn14_16k_mAP=0.438.pth \\
      --output=runs/panns --class_labels=class_labels_indices.csv

RUN then stands wherever an output of train/pretrain_contrastive.py does:
--encoder of evaluate/ (with --shards, at the checkpoint's rate), and
--initial_encoder of train/pretrain_contrastive.py. It holds
  embedding_model.keras  waveform to the embedding of 2048
  classifier.keras       embedding to sigmoid scores of the classes
  class_names.json       their names, with --class_labels

The files of Cnn14_DecisionLevelMax have the same arrays and cannot be told
apart, but belong to a network that pools otherwise: do not import them.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import content, entry_point, flag_fields, run_directory
from data.run.atomic_write import atomic_path, write_json
from data.run.encoder_files import CLASSIFIER_FILE, IMPORT_STAGE, MODEL_FILE
from data.run.flag_fields import option


@dataclasses.dataclass(frozen=True)
class ImportConfig(run_directory.RunOptions):
    """The flags of this entry point."""

    checkpoint: str = option(
        "", "The .pth file.", required=True, runtime_only=True
    )
    output: str = option(
        "", "Run directory to write.", required=True, runtime_only=True
    )
    window_seconds: float = option(
        10.0,
        "Length of the windows that are embedded, seconds; they overlap by "
        "half. PANNs was trained on 10.",
        minimum=0.32,
    )
    class_labels: str = option(
        "",
        "AudioSet's class_labels_indices.csv. Empty: no names are kept.",
        runtime_only=True,
    )
    sample_rate_hz: int | None = option(
        None,
        "Rate of the checkpoint, Hz; only for one without its front end.",
        minimum=1,
    )

    def __post_init__(self):
        for flag in ("checkpoint", "output"):
            if not getattr(self, flag):
                raise ValueError(f"--{flag} is empty: name a path")


def main() -> None:
    import_panns(flag_fields.read(ImportConfig))


def import_panns(config: ImportConfig) -> pathlib.Path:
    """Writes the run directory, unless it is there; returns its encoder.

    Raises:
      UserError: the checkpoint is missing, damaged or of another network, or
        does not go with the flags; or the output holds another run.
    """
    folder = pathlib.Path(config.output)
    # A run that is there needs them no more.
    inputs = {
        flag: content.file_sha256(file)
        for flag in ("checkpoint", "class_labels")
        if (file := pathlib.Path(getattr(config, flag))).is_file()
    }
    if (folder / run_directory.CONFIG_FILE).exists():
        run_directory.start(config.output, IMPORT_STAGE, config, inputs)
        # The encoder is written last: with it, all is there.
        if (folder / MODEL_FILE).exists():
            print(f"{folder / MODEL_FILE} is there already: nothing to do")
            return folder / MODEL_FILE

    from train.published import panns

    arrays = panns.read_state_dict(config.checkpoint)
    rate_hz = panns.find_sample_rate_hz(arrays, config.sample_rate_hz)
    model, classifier = panns.build(arrays, rate_hz, config.window_seconds)
    names = None
    if config.class_labels:
        names = panns.read_class_names(
            config.class_labels, classifier.num_classes
        )
    # Only now, so that a mistake leaves nothing behind.
    run_directory.start(config.output, IMPORT_STAGE, config, inputs)
    if names:
        write_json(folder / "class_names.json", names)
    for saved, file in ((classifier, CLASSIFIER_FILE), (model, MODEL_FILE)):
        with atomic_path(folder / file) as beside:
            saved.save(beside)
    parameters = model.count_params() + classifier.count_params()
    print(
        f"CNN14 of PANNs at {rate_hz} Hz: {parameters / 1e6:.2f} M "
        f"parameters, embedding of {model.embedding_dim}, "
        f"{classifier.num_classes} classes, windows of "
        f"{model.window_samples / rate_hz:g} s every "
        f"{model.window_hop_samples / rate_hz:g} s\n{folder / MODEL_FILE}\n"
        f"{folder / CLASSIFIER_FILE}"
    )
    return folder / MODEL_FILE


if __name__ == "__main__":
    flag_fields.define(ImportConfig)
    entry_point.run(main)
