"""Writes a report's contents as one HTML page that needs nothing else."""

import base64
import hashlib
import pathlib

import jinja2
from markupsafe import Markup

from evaluate import embedding_map, line_chart, spectrogram_image
from evaluate.report_contents import ReportContents
from evaluate.report_sounds import clip_key

_TEMPLATES = pathlib.Path(__file__).resolve().parent / "report_template"

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
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["flag"] = _flag
    script = (_TEMPLATES / "script.js").read_text(encoding="utf-8")
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = hashlib.sha256(script.encode()).digest()
    return environment.get_template("page.html.jinja").render(
        report=contents,
        payload=_payload(contents),
        main_flags=_MAIN_FLAGS,
        chart=line_chart,
        plot=embedding_map,
        image=spectrogram_image,
        script=Markup(script),
        style=Markup(style),
        # The page's policy lets this very script run and no other.
        script_hash=base64.b64encode(digest).decode(),
    )


def _payload(contents: ReportContents) -> dict:
    """What the page's script reads."""
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


def _flag(value: object) -> str:
    """A flag's value as one types it; counts as a list of them."""
    if isinstance(value, dict):
        return "; ".join(f"{k}: {_flag(v)}" for k, v in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "–"
    return "–" if value in ("", None) else str(value)
