"""Gathers what a report shows: run directories and shards to plain values."""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from data.page.html_page import Table
from data.page.sound import Example, Sound, SoundBundle
from data.run import encoder_files, processor_files
from data.run.errors import UserError
from data.run.progress import duration
from data.run.run_directory import METRICS_FILE
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import encoder_runs
from evaluate.measures.comparison_config import PROBE, RETRIEVAL
from evaluate.pages import (
    encoder_views,
    report_runs,
    report_sounds,
    report_tables,
)
from evaluate.pages.encoder_views import EncoderView
from evaluate.pages.line_chart import LineChart, line_chart
from evaluate.pages.report_clips import ClipText, ReportClips
from evaluate.pages.report_config import ReportConfig
from evaluate.pages.report_runs import STEP, Run


@dataclasses.dataclass(frozen=True)
class Measured:
    """Tables of one metrics.json."""

    measures: Table
    classes: Table


@dataclasses.dataclass(frozen=True)
class ReportContents:
    """All of a report; `notes` say what was left out, and why."""

    config: ReportConfig
    info: DatasetInfo
    split_lengths: tuple[tuple[str, int, str], ...]
    pretraining: tuple[Run, ...]
    separating: tuple[Run, ...]
    pretraining_charts: tuple[LineChart, ...]
    separating_charts: tuple[LineChart, ...]
    probe: tuple[Measured, ...]
    retrieval: tuple[Measured, ...]
    separation: Table | None
    examples: tuple[Example, ...]
    texts: tuple[ClipText, ...]
    views: tuple[EncoderView, ...]
    query_sounds: dict[int, Sound]
    map_clips: tuple[int, ...]
    bundle: SoundBundle
    notes: tuple[str, ...]


def gather(config: ReportConfig) -> ReportContents:
    """Reads and computes everything.

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
    probe = _measured(config.probe, PROBE)
    retrieval = _measured(config.retrieval, RETRIEVAL)
    separation = _separation_table(config.separation)
    if config.encoder:
        info = encoder_runs.open_shards(config.encoder, config.shards)
    else:
        info = DatasetInfo.load(config.shards)
    info.shards_of(config.splits)

    clips = ReportClips(info, config.splits)
    texts = clips.texts
    labels = [text.labels for text in texts]
    room = int(config.audio_megabytes * 1e6)
    bundle = SoundBundle(info.sample_rate_hz, room)
    examples = report_sounds.make_examples(
        clips,
        report_sounds.choose_examples(labels, config.examples, config.seed),
        bundle,
    )
    map_clips = _draw(len(texts), config.max_map_clips, config.seed)
    views = encoder_views.make_views(config, info, texts, map_clips)
    heard = {
        clip
        for view in views
        for query in view.queries
        for clip in (query.clip, *(near.clip for near in query.neighbors))
    }
    query_sounds = report_sounds.make_small_sounds(clips, sorted(heard), bundle)
    if views:
        # Shuffled, so that what there is room for is spread over the map.
        order = np.random.default_rng(config.seed).permutation(map_clips)
        report_sounds.add_until_full(clips, order.tolist(), bundle)
    return ReportContents(
        config=config,
        info=info,
        split_lengths=_split_lengths(info),
        pretraining=tuple(pretraining),
        separating=tuple(separating),
        pretraining_charts=_charts(pretraining),
        separating_charts=_charts(separating),
        probe=probe,
        retrieval=retrieval,
        separation=separation,
        examples=tuple(examples),
        texts=texts,
        views=views,
        query_sounds=query_sounds,
        map_clips=tuple(map_clips),
        bundle=bundle,
        notes=(
            *_notes(config, info, separating, separation),
            *_bad_records_note(info, clips),
        ),
    )


def _measured(paths: Sequence[str], stage: str) -> tuple[Measured, ...]:
    tables = []
    for path in paths:
        metrics = report_runs.read_metrics(path, stage)
        caption = (
            f"{stage.capitalize()} on {metrics.get('shards', '?')}, "
            f"seed {metrics.get('seed', '?')}"
        )
        results = metrics["results"]
        try:
            tables.append(
                Measured(
                    report_tables.measures_table(caption, results),
                    report_tables.class_table(caption, results),
                )
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}: its {METRICS_FILE} has no {error}: run "
                f"evaluate/{stage}.py again"
            ) from error
    return tuple(tables)


def _separation_table(path: str) -> Table | None:
    file = pathlib.Path(path) / METRICS_FILE
    if not path or not file.exists():
        return None
    metrics = report_runs.read_metrics(path, processor_files.STAGE)
    return report_tables.separation_table(
        "SI-SDR improvement over the mixture, dB", metrics["results"]
    )


def _charts(runs: Sequence[Run]) -> tuple[LineChart, ...]:
    """One chart a quantity, with a line for every run that has it."""
    quantities = dict.fromkeys(
        name for run in runs for name in run.history if name != STEP
    )
    charts = (
        line_chart(
            name,
            [
                (run.name, index, run.history[STEP], run.history[name])
                for index, run in enumerate(runs)
                if name in run.history
            ],
        )
        for name in quantities
    )
    return tuple(chart for chart in charts if chart)


def _split_lengths(info: DatasetInfo) -> tuple[tuple[str, int, str], ...]:
    return tuple(
        (
            split,
            sum(shard.clips for shard in shards),
            duration(sum(shard.seconds for shard in shards)),
        )
        for split, shards in info.splits.items()
    )


def _draw(total: int, count: int, seed: int) -> list[int]:
    drawn = np.random.default_rng(seed).permutation(total)[:count]
    return sorted(drawn.tolist())


def _notes(
    config: ReportConfig,
    info: DatasetInfo,
    separating: Sequence[Run],
    separation: Table | None,
) -> Iterable[str]:
    if not config.encoder:
        yield "No --encoder was named: no map and no retrieval examples."
    if not config.probe:
        yield "No --probe was named: no table of the shallow classifier."
    if not config.retrieval:
        yield "No --retrieval was named: no table of query by example."
    if not config.separation:
        yield "No --separation was named: no curves of the separator."
    elif separating[0].stage == processor_files.IMPORT_STAGE:
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


def _bad_records_note(info: DatasetInfo, clips: ReportClips) -> Iterable[str]:
    if clips.num_bad:
        yield (
            f"{clips.num_bad} records of {info.folder} cannot be used: "
            "data/inspect_shards.py tells why."
        )
