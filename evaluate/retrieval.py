"""Measures encoders by query by example, as in the WASPAA 2021 slides.

Per class up to --positives clips with it and --negatives without are drawn.
All pairs (positive, positive) and (positive, negative) are ranked by cosine
distance of the clips' embeddings; the figure is the average precision of the
former, its mean over classes (mAP) and over --draws. Beside it: each drawn
positive as a query that ranks all clips of other recordings, mAP and precision
at --top. All have 95 % intervals over recordings, and what chance would give.
No training takes place.

  python evaluate/retrieval.py --encoder=runs/pretrain --output=runs/retrieval
  python evaluate/retrieval.py --compare=runs/retrieval,runs/retrieval:untrained

With {fold} in --encoder each of --splits is embedded by an encoder of its own,
pretrained without it, and is searched by itself; figures are means over splits.

Classes with fewer than 2 positives, or without a negative, are left out of
the mean and listed. Baselines and kept embeddings are those of probe.py.
Writes <output>/metrics.json and influences.npz, which --compare reads, and
prints the overall figures.
"""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import entry_point, flag_fields
from data.run.run_directory import METRICS_FILE
from evaluate.embeddings import encoder_runs
from evaluate.measures.comparison_config import RetrievalConfig


def main() -> None:
    config = flag_fields.read(RetrievalConfig)
    if config.compare:
        from evaluate.measures import paired_runs

        print(paired_runs.of_retrievals(*config.compare))
        return
    info = encoder_runs.open_labeled_shards(
        encoder_runs.of_folds(config.encoder, config.splits),
        config.shards,
        config.splits,
    )

    from evaluate.measures import results, retrieval_comparison

    records = retrieval_comparison.compare(config, info)
    print(results.results_table(records))
    if left_out := results.classes_left_out(records[0]):
        print("left out, too few clips: " + results.listed(left_out))
    print(f"metrics: {pathlib.Path(config.output, METRICS_FILE)}")


if __name__ == "__main__":
    flag_fields.define(RetrievalConfig)
    entry_point.run(main)
