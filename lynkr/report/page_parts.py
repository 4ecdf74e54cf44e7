"""What the pages of a session and of a period have in common: the large figures, bars of money, and what to doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from lynkr.report.page import Piece, el, section, stack, tiles
from lynkr.report.tally import prompt_tokens
from lynkr.report.terminal import cost_notes, saved_words
from lynkr.report.words import plural, priced_at, share, tokens, usd


def headline(totals: Mapping[str, Any], savings: Mapping[str, Any]) -> Element:
    """The figures that one looks at first."""
    prompt, failures, saved = prompt_tokens(totals), totals["failures"], totals["saved_usd"] or 0.0
    figures = [
        ("Cost", usd(totals["cost_usd"]), ", ".join(cost_notes(totals))),
        ("Without lynkr", usd(totals["baseline_usd"]), "the baseline: as the tool asked, its cache at work"),
        (
            "Saved" if saved >= 0 else "Spent on top",
            usd(totals["saved_usd"] and abs(saved)),
            ", ".join(saved_words(saved, savings)[1:]),
        ),
        ("Requests", str(totals["requests"]), f"{failures} failed" if failures else "none failed"),
        ("From the cache", share(totals["cache_read_tokens"], prompt), f"of {tokens(prompt)} input tokens"),
    ]
    if savings["tokens_removed"]:
        figures.append(("Not sent", tokens(savings["tokens_removed"]), "tokens that compression left out"))
    return tiles(figures)


def bars(amounts: Sequence[tuple[str, float | None]]) -> Element | None:
    """A bar for each amount of money; None where there is nothing to compare."""
    most = max((amount or 0.0 for _, amount in amounts), default=0.0)
    if not most or len(amounts) < 2:
        return None
    cells: list[Piece] = []
    for name, amount in amounts:
        cells += [el("span", name, class_="name"), stack([("out", (amount or 0.0) / most)]),
                  el("span", usd(amount), class_="sum")]  # fmt: skip
    return el("div", *cells, class_="bars", aria_hidden="true")


def trust(totals: Mapping[str, Any], prices_date: str) -> Element:
    """What the figures rest on."""
    return section("How far to trust this", el("ul", *(el("li", line) for line in _doubts(totals, prices_date))))


def _doubts(totals: Mapping[str, Any], prices_date: str) -> Iterator[str]:
    yield "Tokens are the provider's own figures, from its answers."
    yield priced_at(prices_date)
    if totals["estimated_usd"]:
        guessed = usd(totals["estimated_usd"])
        yield f"{guessed} of the cost is estimated: the provider gave no full figures, or bills more than tokens."
    if totals["unpriced_requests"]:
        unpriced = plural(totals["unpriced_requests"], "request")
        yield f"{unpriced} without a known price for the model: left out of every sum of money."
    if totals["saved_usd"]:
        yield "What was saved is an estimate wherever another model would have counted the same text otherwise."
    yield "lynkr's docs/reports.md says how to redo each figure by hand from the JSON report."
