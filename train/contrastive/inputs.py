"""What pretraining depends on beside its flags, known without TensorFlow."""

import pathlib

from data.run import content, encoder_files, processor_files
from data.shards.dataset_info import DatasetInfo
from train.contrastive.contrastive_config import ContrastiveConfig
from train.loop.last_step import last_step


def digests(config: ContrastiveConfig, info: DatasetInfo) -> dict[str, str]:
    """Digest of what each flag names; see `run_directory.start`.

    Labels are no part of it: pretraining reads none.

    Raises:
      UserError: what is named cannot be used.
    """
    splits = info.training_splits(config.splits)
    found = {"shards": info.sound_sha256(splits)}
    if config.separator and config.comparison != "mix_vs_mix":
        files = processor_files.find(config.separator, config.processors)
        found["separator"] = content.files_sha256(files)
    # A run that goes on needs it no more.
    if config.initial_encoder and not last_step(pathlib.Path(config.output)):
        file = encoder_files.model_file(config.initial_encoder)
        found["initial_encoder"] = content.file_sha256(file)
    return found
