"""Writes a report's contents as one HTML page that needs nothing else."""

import pathlib

from data.page import html_page, spectrogram_image
from evaluate.pages import embedding_map, line_chart
from evaluate.pages.report_contents import ReportContents
from evaluate.pages.report_sounds import clip_key

_TEMPLATES = pathlib.Path(__file__).resolve().parent / "template"

# Flags that tell runs apart at a glance; all are in the page, folded.
_MAIN_FLAGS = (
    "comparison",
    "objective",
    "processors",
    "keep_steps",
    "spec_augment",
    "num_sources",
    "basis",
    "steps",
    "batch_size",
    "width",
    "embedding_dim",
    "seed",
)


def render(contents: ReportContents) -> str:
    """The page; every text from outside is escaped by the template."""
    return html_page.render(
        "report.html.jinja",
        _TEMPLATES,
        _payload(contents),
        scripts=("map.js",),
        styles=("report.css",),
        title="report",
        report=contents,
        main_flags=_MAIN_FLAGS,
        chart=line_chart,
        plot=embedding_map,
        image=spectrogram_image,
    )


def _payload(contents: ReportContents) -> dict:
    """What the page's scripts read."""
    sounds = contents.bundle.encoded
    return {
        "sounds": sounds,
        "clips": {
            str(clip): {
                "id": contents.texts[clip].clip_id,
                "labels": contents.texts[clip].labels,
                "sound": clip_key(clip) if clip_key(clip) in sounds else None,
            }
            for clip in contents.map_clips
        },
    }
