"""Measures encoders by query by example, as in the WASPAA 2021 slides.

Per class up to --positives clips with it and --negatives without are drawn.
All pairs (positive, positive) and (positive, negative) are ranked by cosine
distance of the clips' embeddings; the figure is the average precision of the
former, and its mean over classes (mAP). No training takes place.

  python evaluate/retrieval.py --encoder=runs/pretrain --output=runs/retrieval

Classes with fewer than 2 positives, or without a negative, are left out of
the mean and listed. Baselines and kept embeddings are those of probe.py.
Writes <output>/metrics.json and prints its overall figures.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data import entry_point, flag_fields, run_directory
from data.flag_fields import option
from data.user_error import UserError
from evaluate import encoder_runs

STAGE = "retrieval"


@dataclasses.dataclass(frozen=True)
class RetrievalConfig:
    """the flags of this entry point"""

    encoder: tuple[str, ...] = option(
        (),
        "run directories of pretraining, a row of the results each (required)",
    )
    shards: str = option(
        "", "labeled shards; default: those of the first encoder"
    )
    splits: tuple[str, ...] = option(("eval",), "splits to measure on")
    baselines: tuple[str, ...] = option(
        ("untrained", "log_mel_statistics"),
        "baselines measured beside the encoders; may be empty",
    )
    output: str = option("", "run directory to write (required)")
    positives: int = option(100, "most clips drawn with a class", minimum=2)
    negatives: int = option(100, "most clips drawn without it", minimum=1)
    seed: int = option(0, "of the draw and of the untrained weights", minimum=0)

    def __post_init__(self):
        for flag in ("output", "splits"):
            if not getattr(self, flag):
                raise ValueError(f"--{flag} is empty: name at least one")


def main() -> None:
    retrieval(flag_fields.read(RetrievalConfig))


def retrieval(config: RetrievalConfig) -> pathlib.Path:
    """Runs the measurement; returns the path of metrics.json."""
    info = encoder_runs.open_labeled_shards(
        config.encoder, config.shards, config.splits
    )

    from evaluate import results
    from evaluate.baselines import make_baselines
    from evaluate.clip_embeddings import check_sample_rate
    from evaluate.embedding_cache import labeled_embeddings
    from evaluate.encoders import load_encoders
    from evaluate.query_by_example import has_pairs, query_by_example

    encoders = load_encoders(config.encoder)
    rows = encoders + make_baselines(config.baselines, encoders, config.seed)
    # Told before a run directory is made: the flags can still be changed.
    for row in rows:
        check_sample_rate(row, info)
    labels = labeled_embeddings(encoders[0], info, config.splits).labels
    measured = has_pairs(labels)
    if not measured.any():
        raise UserError(
            "no class has 2 clips with it and one without in split "
            + ",".join(config.splits)
        )
    folder = run_directory.start(config.output, STAGE, config)
    records = []
    for row in rows:
        store = labeled_embeddings(row, info, config.splits)
        ap = query_by_example(
            store.clips,
            store.labels,
            config.positives,
            config.negatives,
            config.seed,
        )
        clips = store.labels.sum(axis=0)
        records.append(results.result(row, info.class_names, clips, ap))
    file = results.write_metrics(
        folder,
        STAGE,
        str(info.folder),
        {"eval_splits": config.splits},
        config.seed,
        records,
    )
    print(results.results_table(records))
    left_out = [info.class_names[i] for i in (~measured).nonzero()[0]]
    if left_out:
        print("left out, too few clips: " + results.listed(left_out))
    print(f"metrics: {file}")
    return file


if __name__ == "__main__":
    flag_fields.define(RetrievalConfig)
    entry_point.run(main)
