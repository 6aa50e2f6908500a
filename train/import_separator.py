"""Makes an audio processor of a published sound-separation checkpoint.

A TDCN++ checkpoint of google-research/sound-separation (models of
neurips2020_mixit and bird_mixit) becomes a run directory that stands wherever
one of train_separation.py does: --separator of train/separate_shards.py,
train/pretrain_contrastive.py and evaluate/export_saved_model.py.

  python train/import_separator.py --checkpoint=FOLDER_OR_PREFIX \\
      --output=RUN

The YFCC100m model (16 kHz), and the model for birds with four channels
(22.05 kHz), as their own instructions download them:

  python train/import_separator.py --output=runs/yfcc100m \\
      --checkpoint=yfcc100m_mixit_model_checkpoint
  python train/import_separator.py --output=runs/birds --sample_rate_hz=22050 \\
      --checkpoint=bird_mixit_model_checkpoints/output_sources4/model.ckpt-3223090

These files were not at hand when this was written: it was tested on
checkpoints that the published code wrote, and gives its output to 1e-6. What
is not in them is a flag; a wrong --num_dilations is noticed only where it
does not divide the number of blocks.
"""

import contextlib
import dataclasses
import pathlib
import re
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import entry_point, flag_fields, run_directory
from data.run.errors import UserError
from data.run.flag_fields import option
from data.run.processor_files import IMPORT_STAGE, kept_files, processor_path


@dataclasses.dataclass(frozen=True)
class ImportConfig(run_directory.RunOptions):
    """The flags of this entry point."""

    checkpoint: str = option(
        "",
        "Folder of a checkpoint, or what its files' names begin with.",
        required=True,
        runtime_only=True,
    )
    processor: str = option(
        "",
        "Name of the processor. Empty: step and the number that the "
        "checkpoint's name ends in, or reference.",
    )
    output: str = option(
        "", "Run directory to write.", required=True, runtime_only=True
    )
    sample_rate_hz: int = option(
        16000, "Rate that it was trained at, Hz.", minimum=1
    )
    num_dilations: int = option(
        8, "Blocks of a repeat, with dilations 1, 2, 4, ...", minimum=1
    )
    window_s: float | None = option(
        None,
        "Analysis window, seconds. Default: 0.0025, or 0.032 with an STFT.",
        minimum=0.0,
    )
    hop_s: float | None = option(
        None,
        "Distance of windows, seconds. Default: 0.00125, or 0.008 with an "
        "STFT.",
        minimum=0.0,
    )
    consistency: str | None = option(
        None,
        "How channels are made to sum to the mixture: only for a checkpoint "
        "without weights that predict it.",
        choices=("none", "uniform", "magsq"),
    )

    def __post_init__(self):
        for flag in ("checkpoint", "output"):
            if not getattr(self, flag):
                raise ValueError(f"--{flag} is empty: name a folder")
        if not re.fullmatch(r"[A-Za-z0-9_-]*", self.processor):
            raise ValueError(
                f"--processor={self.processor}: use letters, digits, _ and -"
            )


def main() -> None:
    import_separator(flag_fields.read(ImportConfig))


def import_separator(config: ImportConfig) -> pathlib.Path:
    """Writes the run directory, unless it is there; returns its processor.

    Raises:
      UserError: the checkpoint is missing, damaged or no TDCN++, or does not
        go with the flags; or the output holds another run.
    """
    from data.run.atomic_write import atomic_path
    from models.separation.reference_weights import separator_from_reference
    from train.published import separator_checkpoint

    folder = pathlib.Path(config.output)
    prefix, inputs = None, {}
    # A run that is there needs the checkpoint no more.
    with contextlib.suppress(UserError):
        prefix = separator_checkpoint.find_prefix(config.checkpoint)
        inputs["checkpoint"] = separator_checkpoint.sha256(prefix)
    if (folder / run_directory.CONFIG_FILE).exists():
        run_directory.start(config.output, IMPORT_STAGE, config, inputs)
        for file in kept_files(folder).values():
            print(f"{file} is there already: nothing to do")
            return file
    prefix = prefix or separator_checkpoint.find_prefix(config.checkpoint)
    arrays = separator_checkpoint.read_network(prefix)
    try:
        separator = separator_from_reference(
            arrays,
            config.sample_rate_hz,
            config.num_dilations,
            config.consistency,
            config.window_s,
            config.hop_s,
        )
    except ValueError as error:
        raise UserError(f"{prefix}: {error}") from error
    # Only now, so that a mistake leaves nothing behind.
    run_directory.start(config.output, IMPORT_STAGE, config, inputs)
    step = re.search(r"-(\d+)$", prefix.name)
    default_name = f"step{step[1]}" if step else "reference"
    file = processor_path(folder, config.processor or default_name)
    with atomic_path(file) as beside:
        separator.save(beside)
    transform = separator.transform
    print(
        f"TDCN++, {separator.basis} basis: {separator.num_sources} channels "
        f"at {separator.sample_rate_hz} Hz, {separator.count_params()} "
        f"parameters, windows of {transform.window_samples} samples every "
        f"{transform.hop_samples}, {separator.consistency} consistency\n{file}"
    )
    return file


if __name__ == "__main__":
    flag_fields.define(ImportConfig)
    entry_point.run(main)
