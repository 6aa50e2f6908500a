"""Writes HTML pages that need nothing but themselves."""

import base64
import hashlib
import pathlib

import jinja2
from markupsafe import Markup

_COMMON = pathlib.Path(__file__).resolve().parent / "template"


def render(template: pathlib.Path, payload: dict, **values: object) -> str:
    """The page; every text from outside is escaped by the template.

    Args:
      template: a file that extends `base.html.jinja`. Beside it are a script
        to run after `player.js` and a style after `page.css`, where this kind
        of page needs them.
      payload: what the scripts read, JSON values; `sounds` has the base64
        FLAC of each key that a player names.
      **values: `title` of the page, and what the template uses.
    """
    folder = template.parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _COMMON]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["flag"] = _flag
    script = _joined(_COMMON / "player.js", *folder.glob("*.js"))
    style = _joined(_COMMON / "page.css", *folder.glob("*.css"))
    digest = hashlib.sha256(script.encode()).digest()
    return environment.get_template(template.name).render(
        payload=payload,
        script=Markup(script),
        style=Markup(style),
        # The page's policy lets this very script run and no other.
        script_hash=base64.b64encode(digest).decode(),
        **values,
    )


def _joined(*files: pathlib.Path) -> str:
    return "".join(file.read_text(encoding="utf-8") for file in files)


def _flag(value: object) -> str:
    """A flag's value as one types it; counts as a list of them."""
    if isinstance(value, dict):
        return "; ".join(f"{k}: {_flag(v)}" for k, v in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "–"
    return "–" if value in ("", None) else str(value)
