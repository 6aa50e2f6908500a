"""How well the kept processors separate scenes whose sources are known."""

import functools
import itertools
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from data.audio import codec
from data.run import saved_network
from data.run.atomic_write import write_json
from data.run.processor_files import STAGE, processor_path
from data.run.run_directory import METRICS_FILE
from data.shards import example_schema
from data.shards.bad_records import BadRecords
from data.shards.dataset_info import DatasetInfo
from data.shards.record_check import parse_checked
from data.shards.record_index import RecordIndex
from data.shards.record_reader import examples_in_order
from models.metrics.si_sdr import (
    mixit_matched_improvement,
    oracle_matched_improvement,
)
from models.separation.separator import Separator
from train.separation.finished import measured_splits
from train.separation.separation_config import SeparationConfig
from train.separation.traced_separators import TracedSeparators

# Enough for a mean that is stable to some 0.2 dB (our choice).
MAX_CLIPS = 100


def measure(
    config: SeparationConfig, info: DatasetInfo, folder: pathlib.Path
) -> None:
    """Writes metrics.json: SI-SDR improvement of every kept processor.

    Two figures, in dB, each a mean over sources and clips:
      si_sdr_improvement_mixit_db: two clips are added; the channels are
        assigned to them as in training; improvement over the sum.
      si_sdr_improvement_oracle_db: the M loudest stems of one clip are
        added; each is matched with a channel of its own, best match first.

    Without stems nothing is measured, and a log line says so.
    """
    splits = measured_splits(config, info)
    if not splits:
        logging.info("Clips carry no stems: separation is not measured.")
        return
    index = RecordIndex.of(info, splits)
    bad_records = BadRecords.of_run(index, folder, config.max_bad_fraction)
    clips = _clips_with_stems(index, bad_records)
    run, results = TracedSeparators(), []
    for name, step in config.processors().items():
        separator = saved_network.load(processor_path(folder, name), Separator)
        separate = functools.partial(run, separator)
        scores = _score(separate, separator.num_sources, clips)
        logging.info(
            "%s (step %d): SI-SDR improvement %.2f dB MixIT-assigned, "
            "%.2f dB oracle-matched",
            name,
            step,
            *scores.values(),
        )
        results.append({"processor": name, "step": step, **scores})
    write_json(
        folder / METRICS_FILE,
        {
            "stage": STAGE,
            "shards": str(info.folder),
            "shards_sha256": info.sound_sha256(splits),
            "eval_splits": splits,
            "clips": len(clips),
            "results": results,
        },
    )


def _clips_with_stems(
    index: RecordIndex, bad_records: BadRecords
) -> list[np.ndarray]:
    """(stems, samples) of the first clips that can be read."""

    def to_stems(record):
        encoded = parse_checked(record, index.info, stems=True)
        return tf.map_fn(
            lambda stem: codec.decode(stem, index.info.audio_format),
            encoded[example_schema.STEMS],
            fn_output_signature=tf.TensorSpec([None], tf.float32),
        )

    clips = examples_in_order(
        index, to_stems, lambda numbers: bad_records.add_failed(index, numbers)
    )
    return [*itertools.islice(clips, MAX_CLIPS)]


def _score(
    separate: Callable[[np.ndarray], tf.Tensor],
    num_sources: int,
    clips: list[np.ndarray],
) -> dict[str, float]:
    """Figures of (B, T) -> (B, num_sources, T)."""
    mixit, oracle = [], []
    for first, second in zip(clips[0::2], clips[1::2], strict=False):
        length = min(first.shape[1], second.shape[1])
        scenes = np.stack([first.sum(0)[:length], second.sum(0)[:length]])
        estimates = separate(scenes.sum(0)[None])[0].numpy()
        mixit.extend(mixit_matched_improvement(scenes, estimates))
    for stems in clips:
        loudness = np.sum(stems**2, axis=1)
        loudest = stems[np.argsort(-loudness)[:num_sources]]
        estimates = separate(loudest.sum(0)[None])[0].numpy()
        improvement_db = oracle_matched_improvement(loudest, estimates)
        # A source that sounds alone is its own mixture: nothing to gain.
        if len(improvement_db) > 1:
            oracle.extend(improvement_db)
    return {
        "si_sdr_improvement_mixit_db": float(np.mean(mixit)),
        "si_sdr_improvement_oracle_db": float(np.mean(oracle)),
    }
