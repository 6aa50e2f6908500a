"""HTML pages as a browser sees them, and what they must not do."""

import base64
import hashlib
import html.parser


class Page(html.parser.HTMLParser):
    """Tags, texts, and script contents; every tag must be closed."""

    VOID = ("meta", "link", "img")

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at line {self.getpos()[0]}"

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        if inside == "script":
            self.scripts.append(data)
        elif inside != "style":
            self.texts.append(data)

    def count(self, tag: str, name: str = "", value: str = "") -> int:
        return sum(
            found == tag and (not name or value in (attributes.get(name) or ""))
            for found, attributes in self.tags
        )

    def values(self) -> list[float]:
        """The numbers of the tables, unrounded."""
        return [
            float(attributes["value"])
            for tag, attributes in self.tags
            if tag == "data" and attributes["value"]
        ]


def assert_refers_to_nothing_outside(text: str) -> None:
    """No address is left, links lead to sections, policy allows one script."""
    page = Page(text)
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), value
        assert not any(name.startswith("on") for name in attributes)
        if tag == "a":
            assert attributes["href"][1:] in ids
    assert "url(" not in text and "@import" not in text
    assert "http://" not in text and "https://" not in text
    # The payload and the page's own script, no other.
    assert page.count("script") == 2
    [policy] = (
        attributes["content"]
        for _, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    digest = hashlib.sha256(page.scripts[1].encode()).digest()
    allowed = base64.b64encode(digest).decode()
    assert f"'sha256-{allowed}'" in policy and "default-src 'none'" in policy
