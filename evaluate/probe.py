"""Measures encoders by a shallow classifier on their frozen embeddings.

One hidden layer is trained on the windows of --train_splits, each with its
clip's labels; a clip's score is the mean of its windows' sigmoid outputs.
Over the clips of --eval_splits it gives mAP, AUC and d-prime, for each
encoder and for baselines, which are treated alike:
  untrained           the encoder's network with fresh weights
  log_mel_statistics  mean and deviation of each mel band

  python evaluate/probe.py --encoder=runs/pretrain --output=runs/probe

Embeddings are computed once and kept in <encoder>/embeddings/; retrieval,
search and the report use the same files. Writes <output>/metrics.json and
prints its overall figures.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data import entry_point, flag_fields, run_directory
from data.flag_fields import option
from evaluate import encoder_runs

STAGE = "probe"


@dataclasses.dataclass(frozen=True)
class ProbeConfig:
    """the flags of this entry point"""

    encoder: tuple[str, ...] = option(
        (),
        "run directories of pretraining, a row of the results each (required)",
    )
    shards: str = option(
        "", "labeled shards; default: those of the first encoder"
    )
    train_splits: tuple[str, ...] = option(
        ("train",), "splits that the classifier is trained on"
    )
    eval_splits: tuple[str, ...] = option(
        ("eval",), "splits that the figures are of"
    )
    baselines: tuple[str, ...] = option(
        ("untrained", "log_mel_statistics"),
        "baselines measured beside the encoders; may be empty",
    )
    output: str = option("", "run directory to write (required)")
    hidden_units: int = option(512, "units of the hidden layer", minimum=1)
    epochs: int = option(50, "passes over the training clips", minimum=1)
    batch_size: int = option(32, "clips of a step", minimum=1)
    learning_rate: float = option(1e-3, "of Adam", minimum=0)
    seed: int = option(
        0, "of the classifier and of the untrained weights", minimum=0
    )

    def __post_init__(self):
        for flag in ("output", "train_splits", "eval_splits"):
            if not getattr(self, flag):
                raise ValueError(f"--{flag} is empty: name at least one")
        both = sorted(set(self.train_splits) & set(self.eval_splits))
        if both:
            raise ValueError(
                f"{','.join(both)} is in --train_splits and --eval_splits: "
                "the figures would be those of clips trained on"
            )


def main() -> None:
    probe(flag_fields.read(ProbeConfig))


def probe(config: ProbeConfig) -> pathlib.Path:
    """Runs the measurement; returns the path of metrics.json."""
    splits = (*config.train_splits, *config.eval_splits)
    info = encoder_runs.open_labeled_shards(
        config.encoder, config.shards, splits
    )

    from evaluate import results
    from evaluate.baselines import make_baselines
    from evaluate.clip_embeddings import check_sample_rate
    from evaluate.embedding_cache import labeled_embeddings
    from evaluate.encoders import load_encoders
    from evaluate.probe_classifier import (
        ProbeTraining,
        score_clips,
        train_classifier,
    )
    from models.metrics.average_precision import average_precision
    from models.metrics.roc import area_under_roc

    encoders = load_encoders(config.encoder)
    rows = encoders + make_baselines(config.baselines, encoders, config.seed)
    # Told before a run directory is made: the flags can still be changed.
    for row in rows:
        check_sample_rate(row, info)
    for some_splits in (config.train_splits, config.eval_splits):
        labeled_embeddings(encoders[0], info, some_splits)
    folder = run_directory.start(config.output, STAGE, config)
    training = ProbeTraining(
        hidden_units=config.hidden_units,
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=config.seed,
    )
    records = []
    for row in rows:
        train = labeled_embeddings(row, info, config.train_splits)
        held_out = labeled_embeddings(row, info, config.eval_splits)
        scores = score_clips(train_classifier(train, training), held_out)
        records.append(
            results.result(
                row,
                info.class_names,
                held_out.labels.sum(axis=0),
                average_precision(held_out.labels, scores),
                area_under_roc(held_out.labels, scores),
            )
        )
    file = results.write_metrics(
        folder,
        STAGE,
        str(info.folder),
        {
            "train_splits": config.train_splits,
            "eval_splits": config.eval_splits,
        },
        config.seed,
        records,
    )
    print(results.results_table(records))
    print(f"metrics: {file}")
    return file


if __name__ == "__main__":
    flag_fields.define(ProbeConfig)
    entry_point.run(main)
