"""A page of HTML that stands alone: no script, no network, everything in one file.

The tree is built of elements and written by the standard library, so that no name, path or line of a tool's result can
become markup. The page says itself that it loads nothing (Content-Security-Policy).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from xml.etree.ElementTree import Element, SubElement, tostring

Piece = Element | str | None

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# What HTML has no place for: controls, halves of letters, and what turns the direction of names.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def el(tag: str, *pieces: Piece, **attributes: str | None) -> Element:
    """An element; `class_` and the like lose their underscore, others become hyphens. What is None is left out."""
    named = {
        name.rstrip("_").replace("_", "-"): clean(value) for name, value in attributes.items() if value is not None
    }
    made = Element(tag, named)
    add(made, pieces)
    return made


def add(parent: Element, pieces: Iterable[Piece]) -> None:
    """Puts texts and elements behind what `parent` holds."""
    for piece in pieces:
        if piece is None:
            continue
        if isinstance(piece, Element):
            parent.append(piece)
        elif len(parent):
            parent[-1].tail = (parent[-1].tail or "") + clean(piece)
        else:
            parent.text = (parent.text or "") + clean(piece)


def clean(text: str) -> str:
    """`text` as HTML can hold it."""
    return _UNPRINTABLE.sub("\ufffd", text)


def page(title: str, *pieces: Piece) -> str:
    """The whole file."""
    html = Element("html", {"lang": "en"})
    head = SubElement(html, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    SubElement(head, "meta", {"name": "generator", "content": "lynkr"})
    SubElement(head, "title").text = clean(title)
    SubElement(head, "style").text = _style()
    SubElement(html, "body").append(el("main", *pieces))
    return "<!doctype html>\n" + tostring(html, "unicode", method="html") + "\n"


@cache
def _style() -> str:
    return resources.files("lynkr.report").joinpath("page.css").read_text("utf-8")


def section(title: str, *pieces: Piece, note: str | None = None) -> Element:
    """A part of the page under a heading."""
    return el("section", el("h2", title), el("p", note, class_="note") if note else None, *pieces)


def tiles(figures: Iterable[tuple[str, str, str]]) -> Element:
    """Large figures side by side: (name, figure, what to know of it)."""
    return el(
        "dl",
        *(
            el("div", el("dt", name), el("dd", figure, el("small", about) if about else None))
            for name, figure, about in figures
        ),
        class_="tiles",
    )


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Piece]], left: int = 1, ids: Sequence[str] = ()
) -> Element:
    """A table whose first `left` columns are words and the others figures; the first cell names its row.

    `ids` are the rows' anchors.
    """
    titles = (el("th", name, scope="col", class_=_side(at, left)) for at, name in enumerate(head))
    anchors: Sequence[str | None] = ids or [None] * len(rows)
    body = (_row(cells, left, anchor) for cells, anchor in zip(rows, anchors, strict=True))
    made = el("table", el("caption", caption), el("thead", el("tr", *titles)), el("tbody", *body))
    return el("div", made, class_="wide", tabindex="0", role="region", aria_label=caption)


def _row(cells: Sequence[Piece], left: int, anchor: str | None) -> Element:
    made = el("tr", id=anchor)
    for at, cell in enumerate(cells):
        side = _side(at, left)
        made.append(el("th", cell, scope="row", class_=side) if at == 0 else el("td", cell, class_=side))
    return made


def _side(at: int, left: int) -> str | None:
    return None if at < left else "figure"


def percent(part: float) -> str:
    """A share of a width in CSS."""
    return f"{100 * min(max(part, 0.0), 1.0):.3f}%"


def stack(parts: Iterable[tuple[str, float]], **attributes: str | None) -> Element:
    """A bar of coloured parts: (class, share of the whole width)."""
    made = [el("span", class_=kind, style=f"width:{percent(share)}") for kind, share in parts if share > 0]
    return el("span", *made, class_="stack", **attributes)


def legend(names: Mapping[str, str]) -> Element:
    """What the colours mean: class → words."""
    return el(
        "ul", *(el("li", el("span", class_=f"key {kind}"), words) for kind, words in names.items()), class_="legend"
    )
