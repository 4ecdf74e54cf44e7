"""Tables for a terminal of 80 columns: renderers take values and give lines; who prints them decides on paint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# (text, style) → text; a style is "bold" or "dim".
Paint = Callable[[str, str], str]
WIDTH = 80
_LEAST = 6  # columns that even a name which gives way keeps


def unpainted(text: str, _style: str) -> str:
    """The paint of a terminal without colours, or of no terminal."""
    return text


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], left: int, paint: Paint, flexible: Sequence[int] = ()
) -> list[str]:
    """Columns as wide as what they hold; the first `left` are flush left, the others right.

    Where a line would be wider than the terminal, the widest of the `flexible` columns give way.
    """
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    while flexible and sum(widths) + 2 * len(widths) > WIDTH:
        widest = max(flexible, key=lambda at: widths[at])
        if widths[widest] <= _LEAST:
            break
        widths[widest] -= 1

    def line(row: Sequence[str]) -> str:
        cells = []
        for at, (text, width) in enumerate(zip(row, widths, strict=True)):
            cell = short(text, width)
            cells.append(f"{cell:<{width}}" if at < left else f"{cell:>{width}}")
        return ("  " + "  ".join(cells)).rstrip()

    return [paint(line(head), "dim"), *map(line, rows)]


def short(text: str | None, width: int = 40) -> str:
    """`text` in `width` columns and without control characters: names come from files and from clients."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text or "–")
    return text if len(text) <= width else text[: width - 1] + "…"
