"""Measures encoders by classifiers on their frozen embeddings.

A shallow classifier (one hidden layer, as in the slides) and a linear one are
trained on the clip embeddings of --train_splits, and score the clips of
--eval_splits: mAP, AUC, d-prime and, where each clip has one label, accuracy,
with 95 % intervals over recordings. How they are regularised and how long they
are trained is chosen by cross-validation inside the training splits, from the
same few settings for each encoder and for baselines:
  untrained           the encoder's network with fresh weights
  log_mel_statistics  mean and deviation of each mel band

  python evaluate/probe.py --encoder=runs/pretrain --output=runs/probe
  python evaluate/probe.py --encoder="runs/without_{fold}" \\
      --cross_validate=fold1,fold2,fold3 --output=runs/probe
  python evaluate/probe.py --compare=runs/probe,runs/probe:untrained

An encoder that was pretrained on the sound it is measured on is told. With
{fold} in --encoder each split of --cross_validate is measured by an encoder of
its own, pretrained on the others.

Embeddings are computed once and kept in <encoder>/embeddings/; retrieval,
search and the report use the same files. Writes <output>/metrics.json and
scores.npz, which --compare reads, and prints the overall figures.
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
    if config.compare:
        from evaluate.measures import paired_runs

        print(paired_runs.of_probes(*config.compare))
        return
    splits = {s for fold in config.folds for group in fold for s in group}
    info = encoder_runs.open_labeled_shards(
        encoder_runs.of_folds(config.encoder, config.cross_validate),
        config.shards,
        sorted(splits),
    )

    from evaluate.measures import probe_comparison, results

    records = probe_comparison.compare(config, info)
    print(results.results_table(records))
    if left_out := results.classes_left_out(records[0]):
        print("left out, no clip to measure on: " + results.listed(left_out))
    print(f"metrics: {pathlib.Path(config.output, METRICS_FILE)}")


if __name__ == "__main__":
    flag_fields.define(ProbeConfig)
    entry_point.run(main)
