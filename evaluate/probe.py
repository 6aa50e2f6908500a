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

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import entry_point, flag_fields
from data.run.run_directory import METRICS_FILE
from evaluate.embeddings import encoder_runs
from evaluate.measures.comparison_config import ProbeConfig


def main() -> None:
    config = flag_fields.read(ProbeConfig)
    info = encoder_runs.open_labeled_shards(
        config.encoder,
        config.shards,
        (*config.train_splits, *config.eval_splits),
    )

    from evaluate.measures import comparison, results

    records = comparison.probe(config, info)
    print(results.results_table(records))
    print(f"metrics: {pathlib.Path(config.output, METRICS_FILE)}")


if __name__ == "__main__":
    flag_fields.define(ProbeConfig)
    entry_point.run(main)
