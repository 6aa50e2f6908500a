"""An inspection as one HTML page that needs nothing else."""

import pathlib

from data.inspection import split_tables
from data.inspection.scan import Inspection
from data.page import html_page, spectrogram_image
from data.page.chart import bar_chart
from data.page.sound import SoundBundle, make_example
from data.shards import stored_clip

_TEMPLATE = pathlib.Path(__file__).parent / "template/inspection.html.jinja"


def render(inspection: Inspection, seed: int, audio_bytes: int) -> str:
    """The page; every text from outside is escaped by the template.

    Args:
      seed: of the sample, for the text.
      audio_bytes: room for audio; the first clips of each split come first.
    """
    info = inspection.info
    bundle = SoundBundle(info.sample_rate_hz, audio_bytes)
    examples = {split: [] for split in inspection.splits}
    for number, (split, record) in enumerate(inspection.sample):
        clip = stored_clip.read(record, info, channels=True, stems=True)
        examples[split].append(make_example(clip, f"clip{number}", bundle))
    return html_page.render(
        _TEMPLATE,
        {"sounds": bundle.encoded},
        title="shards",
        inspection=inspection,
        seed=seed,
        tables=split_tables,
        bar_chart=bar_chart,
        examples=examples,
        image=spectrogram_image,
    )
