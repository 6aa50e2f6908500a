"""An inspection as one HTML page that needs nothing else."""

import dataclasses
import pathlib

from data.inspection import split_tables
from data.inspection.scan import Inspection
from data.inspection.split_statistics import SplitStatistics
from data.page import bar_chart, html_page, spectrogram_image
from data.page.bar_chart import BarChart
from data.page.html_page import Table
from data.page.sound import SoundBundle, make_example
from data.shards import stored_clip

_TEMPLATES = pathlib.Path(__file__).resolve().parent / "template"


@dataclasses.dataclass(frozen=True)
class SplitChannels:
    """Tables and charts of the channels of one split."""

    channels: Table
    sums: Table
    charts: tuple[BarChart, ...]


def render(inspection: Inspection, seed: int, audio_bytes: int) -> str:
    """The page; every text from outside is escaped by the template.

    Args:
      inspection: what it shows.
      seed: of the sample, for the text.
      audio_bytes: room for audio; the first clips of each split come first.
    """
    info = inspection.info
    bundle = SoundBundle(info.sample_rate_hz, audio_bytes)
    examples = {split: [] for split in inspection.splits}
    for number, (split, record) in enumerate(inspection.sample):
        clip = stored_clip.read(record, info, channels=True, stems=True)
        examples[split].append(make_example(clip, f"clip{number}", bundle))
    found = inspection.splits
    return html_page.render(
        "inspection.html.jinja",
        _TEMPLATES,
        {"sounds": bundle.encoded},
        title="shards",
        inspection=inspection,
        seed=seed,
        tables=split_tables,
        levels={split: _level_charts(found[split]) for split in found},
        channels={
            split: _channels(split, found[split])
            for split in found
            if info.processors
        },
        examples=examples,
        chart=bar_chart,
        image=spectrogram_image,
    )


def _level_charts(statistics: SplitStatistics) -> tuple[BarChart, ...]:
    return (
        bar_chart.bar_chart("RMS, dBFS", statistics.rms, "clips"),
        bar_chart.bar_chart("Peak, dBFS", statistics.peak, "clips"),
    )


def _channels(split: str, statistics: SplitStatistics) -> SplitChannels:
    return SplitChannels(
        split_tables.channels_table(split, statistics),
        split_tables.sums_table(split, statistics),
        tuple(
            bar_chart.bar_chart(
                f"{name}, channel {number}: dB re mixture", relative, "clips"
            )
            for name, processor in statistics.processors.items()
            for number, relative in enumerate(processor.relative, 1)
        ),
    )
