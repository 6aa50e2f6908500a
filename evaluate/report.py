"""Writes one self-contained page about runs: look, compare and listen.

The page holds the flags of the runs, loss curves, tables of probe and
retrieval, spectrograms of mixtures and their channels with players, a map of
the embedding, and queries with their nearest clips. It needs no network and
no other file. Parts whose runs are not named are left out.

  python evaluate/report.py --encoder=RUN_A,RUN_B --separation=SEPARATOR \\
      --probe=PROBE --retrieval=RETRIEVAL --output=report.html

Examples are drawn at random by --seed, from the splits named by --splits of
the shards that the first encoder was trained on, or of --shards.
"""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from absl import logging

from data.run import entry_point, flag_fields, run_lock
from data.run.atomic_write import write_text
from evaluate.measures.comparison_config import PROBE, RETRIEVAL
from evaluate.pages.report_config import ReportConfig


def main() -> None:
    config = flag_fields.read(ReportConfig)
    run_lock.take_file(config.output)

    from evaluate.measures import metrics_file, results
    from evaluate.pages import report_page

    page = report_page.render(report_page.gather(config))
    write_text(config.output, page)
    for stage in (PROBE, RETRIEVAL):
        for folder in getattr(config, stage):
            metrics = metrics_file.read_metrics(folder, stage)
            table = results.results_table(metrics["results"])
            print(f"{stage}, {folder}:\n{table}\n")
    logging.info("The report has %.1f MB.", len(page.encode()) / 1e6)
    print(config.output)


if __name__ == "__main__":
    flag_fields.define(ReportConfig)
    entry_point.run(main)
