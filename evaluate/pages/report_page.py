"""The report: gathered from run directories and shards, and written."""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from data.jobs.progress import duration
from data.page import html_page, spectrogram_image
from data.page.chart import Chart, line_chart
from data.page.table import Table
from data.run import encoder_files, processor_files
from data.run.run_directory import METRICS_FILE
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import embedding_cache, encoder_runs
from evaluate.embeddings.encoders import Representation, load_encoders
from evaluate.measures import metrics_file
from evaluate.measures.comparison_config import PROBE, RETRIEVAL
from evaluate.pages import (
    embedding_map,
    report_runs,
    report_tables,
    retrieval_examples,
)
from evaluate.pages.report_clips import ReportClips, choose_examples
from evaluate.pages.report_config import ReportConfig
from evaluate.pages.slides_tables import slides_tables

_TEMPLATE = pathlib.Path(__file__).parent / "template/report.html.jinja"


def render(report: dict) -> str:
    """The page; every text from outside is escaped by the template.

    Args:
      report: what `gather` gave.
    """
    clips = report["clips"]
    sounds = clips.bundle.encoded
    on_map = {
        str(clip): {
            "id": clips.ids[clip],
            "labels": clips.labels[clip],
            "sound": clips.key(clip) if clips.key(clip) in sounds else None,
        }
        for clip in report["map_clips"]
    }
    return html_page.render(
        _TEMPLATE,
        {"sounds": sounds, "clips": on_map},
        title="report",
        report=report,
        plot=embedding_map,
        duration=duration,
        image=spectrogram_image,
    )


def gather(config: ReportConfig) -> dict:
    """Reads and computes everything.

    Returns:
      What the template shows, by name; `notes` say what was left out, and why.

    Raises:
      UserError: a path is wrong, a file is damaged, or an encoder does not
        fit the shards.
    """
    # What is cheap to check comes before anything that takes time.
    pretraining = report_runs.read_runs(config.encoder, *encoder_files.STAGES)
    separating = report_runs.read_runs(
        (config.separation,) if config.separation else (),
        *processor_files.STAGES,
    )
    if config.encoder:
        info = encoder_runs.open_shards(config.encoder, config.shards)
    else:
        info = DatasetInfo.load(config.shards)
    info.shards_of(config.splits)
    probe = _measured(config.probe, PROBE, config.encoder, info)
    retrieval = _measured(config.retrieval, RETRIEVAL, config.encoder, info)
    separation = None
    if separating and pathlib.Path(config.separation, METRICS_FILE).exists():
        metrics = metrics_file.read_metrics(
            config.separation, processor_files.STAGE
        )
        separation = report_tables.separation_table(metrics["results"])

    clips = ReportClips(info, config.splits, int(config.audio_megabytes * 1e6))
    labels = clips.labels
    examples = clips.examples(
        choose_examples(labels, config.examples, config.seed)
    )
    # Drawn, and in an order that spreads over the map what there is room for.
    shuffled = np.random.default_rng(config.seed).permutation(len(labels))
    map_clips = sorted(shuffled[: config.max_map_clips].tolist())
    queries = retrieval_examples.choose_queries(
        labels, config.queries if len(labels) > 1 else 0, config.seed
    )
    views = [
        _view(encoder, config, info, clips, map_clips, queries)
        for encoder in load_encoders(config.encoder, info)
    ]
    heard = {
        clip
        for view in views
        for query, found in view["queries"]
        for clip in (query, *(near.clip for near in found))
    }
    query_sounds = clips.small_sounds(sorted(heard))
    if views:
        clips.add_until_full(shuffled[: config.max_map_clips].tolist())
    return {
        "config": config,
        "info": info,
        "pretraining": pretraining,
        "separating": separating,
        "pretraining_charts": _charts(pretraining),
        "separating_charts": _charts(separating),
        "probe": probe,
        "retrieval": retrieval,
        "slides": slides_tables() if probe else [],
        "separation": separation,
        "examples": examples,
        "clips": clips,
        "views": views,
        "query_sounds": query_sounds,
        "map_clips": map_clips,
        "notes": list(_notes(config, info, separating, separation, clips)),
    }


def _view(
    encoder: Representation,
    config: ReportConfig,
    info: DatasetInfo,
    clips: ReportClips,
    map_clips: Sequence[int],
    queries: Sequence[int],
) -> dict:
    """One encoder's map and nearest clips.

    `queries` has (clip, neighbors), `shares` how often a neighbor shares a
    label, found and by chance.
    """
    store = embedding_cache.embeddings(encoder, info, config.splits)
    # One kept from earlier may have clips that cannot be read any more.
    row_of = {clip_id: row for row, clip_id in enumerate(store.clip_ids)}
    vectors = store.clips[[row_of[clip_id] for clip_id in clips.ids]]
    found = retrieval_examples.nearest(vectors, clips.labels, queries)
    method, marks, legend = embedding_map.embedding_map(
        vectors[map_clips],
        map_clips,
        [clips.labels[clip] for clip in map_clips],
        config.seed,
    )
    return {
        "name": encoder.name,
        "method": method,
        "marks": marks,
        "legend": legend,
        "queries": list(zip(queries, found, strict=True)),
        "shares": retrieval_examples.shared_label_shares(vectors, clips.labels),
    }


def _measured(
    paths: Sequence[str], stage: str, encoders: Sequence[str], info: DatasetInfo
) -> list[dict]:
    """Of each metrics.json its tables and the command, by name."""
    shown = []
    for path in paths:
        metrics = metrics_file.read_metrics(path, stage)
        report_runs.check_current(metrics, path, encoders, info)
        results = metrics["results"]
        caption = (
            f"{stage.capitalize()} on {metrics.get('shards', '?')}, "
            f"seed {metrics.get('seed', '?')}"
        )
        shown.append(
            {
                "measures": report_tables.measures_table(caption, results),
                "classes": report_tables.class_table(caption, results),
                "command": report_runs.command(path, stage),
            }
        )
    return shown


def _charts(runs: Sequence[dict]) -> list[Chart]:
    """One chart a quantity, with a line for every run that has it."""
    charts = (
        line_chart(
            name, {run["name"]: run["history"].get(name) for run in runs}
        )
        for name in dict.fromkeys(n for run in runs for n in run["history"])
    )
    return [chart for chart in charts if chart]


def _notes(
    config: ReportConfig,
    info: DatasetInfo,
    separating: Sequence[dict],
    separation: Table | None,
    clips: ReportClips,
) -> Iterator[str]:
    """What was left out, and why."""
    if not config.encoder:
        yield "No --encoder was named: no map and no retrieval examples."
    if not config.probe:
        yield "No --probe was named: no table of the shallow classifier."
    if not config.retrieval:
        yield "No --retrieval was named: no table of query by example."
    if not config.separation:
        yield "No --separation was named: no curves of the separator."
    elif separating[0]["stage"] == processor_files.IMPORT_STAGE:
        yield (
            f"{config.separation} was imported, not trained here: it has no "
            "curves, and its SI-SDR was not measured."
        )
    elif separation is None:
        yield (
            f"{config.separation} has no {METRICS_FILE}: SI-SDR is measured "
            "only where clips carry their stems."
        )
    if not info.processors:
        yield (
            f"The clips of {info.folder} carry no separated channels: name "
            "an output of train/separate_shards.py with --shards to see them."
        )
    if clips.num_bad:
        yield (
            f"{clips.num_bad} records of {info.folder} cannot be used: "
            "data/inspect_shards.py tells why."
        )
