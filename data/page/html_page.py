"""Writes HTML pages that need nothing but themselves, and their tables."""

import base64
import dataclasses
import hashlib
import pathlib
from collections.abc import Sequence

import jinja2
from markupsafe import Markup

_COMMON = pathlib.Path(__file__).resolve().parent / "template"


def render(
    template: str,
    folder: pathlib.Path,
    payload: dict,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    **values: object,
) -> str:
    """The page; every text from outside is escaped by the template.

    Args:
      template: a file of `folder` that extends `base.html.jinja`.
      folder: templates, scripts and styles of this kind of page.
      payload: what the scripts read, JSON values; `sounds` has the base64
        FLAC of each key that a player names.
      scripts: files of `folder`, run after `player.js`.
      styles: files of `folder`, after `page.css`.
      **values: `title` of the page, and what the template uses.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _COMMON]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["flag"] = _flag
    script = _joined(_COMMON / "player.js", folder, scripts)
    style = _joined(_COMMON / "page.css", folder, styles)
    digest = hashlib.sha256(script.encode()).digest()
    return environment.get_template(template).render(
        payload=payload,
        script=Markup(script),
        style=Markup(style),
        # The page's policy lets this very script run and no other.
        script_hash=base64.b64encode(digest).decode(),
        **values,
    )


def _joined(
    first: pathlib.Path, folder: pathlib.Path, names: Sequence[str]
) -> str:
    files = [first, *(folder / name for name in names)]
    return "".join(file.read_text(encoding="utf-8") for file in files)


def _flag(value: object) -> str:
    """A flag's value as one types it; counts as a list of them."""
    if isinstance(value, dict):
        return "; ".join(f"{k}: {_flag(v)}" for k, v in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "–"
    return "–" if value in ("", None) else str(value)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A number as shown; `bar` is a share in percent, or None."""

    value: float | None
    text: str
    best: bool = False
    bar: float | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    note: str
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """`first` heads the column of names, `columns` those of the cells."""

    caption: str
    first: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
