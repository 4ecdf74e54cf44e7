"""`lynkr prices`: the price table in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from lynkr.cli.speak import paint, show
from lynkr.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lynkr.lane import Price
    from lynkr.ledger.prices import Entry, Table

_RATES = ("input", "cache_read", "cache_write", "cache_write_1h", "output")


@click.command(short_help="The price table in use, with its date.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(models: tuple[str, ...], as_json: bool) -> None:
    """USD per million tokens, and the day on which that was true.

    MODEL is a name or a part of one, of a maker's or of a cloud's; without any, all are shown.
    """
    from lynkr.ledger.prices import table
    from lynkr.report.table import table as columns

    prices = table()
    # A cloud's name of a model, or "" for its maker's; a dict because two words can find the same.
    wanted = dict.fromkeys(found for word in models or ("",) for found in _matching(word, prices))
    if as_json:
        data: dict[str, Any] = {"date": prices.date, "source": prices.source, "models": {}, "clouds": {}}
        for place, model in wanted:
            rows = data["clouds"].setdefault(place, {}) if place else data["models"]
            rows[model] = _listed(prices, place).get(model) or _said(prices.find(model, place))
        show([json.dumps(data, indent=1)])
        return
    lines = [line for place, model in wanted for line in _lines(prices, place, model)]
    head = ("model", "at", "input", "read", "write", "write 1h", "output")
    show([*columns(head, lines, 2, paint), "", f"USD per million tokens, {prices.date}, from {prices.source}."])


def _listed(prices: Table, place: str) -> Any:
    return prices.clouds[place] if place else prices.models


def _matching(word: str, prices: Table) -> list[tuple[str, str]]:
    """Where there is a model called `word`, or all whose names hold it: (cloud, name)."""
    places = ("", *prices.clouds)
    if exact := [(place, word) for place in places if prices.find(word, place) is not None]:
        return exact
    found = [(place, name) for place in places for name in _listed(prices, place) if word.lower() in name.lower()]
    if not found:
        raise UsageError(f"no price is known for {word!r}; a lane's own price can be set in its profile")
    return found


def _lines(prices: Table, place: str, model: str) -> Iterator[list[str]]:
    """The lines of one model: its list price, those of longer prompts, and the same in a region where that differs."""
    at = place or prices.models.get(model, {}).get("provider", "its maker")
    listed = prices.find(model, place)
    regional = prices.find(model, place, "any") if place == "vertex" else listed
    for entry, where in ((listed, ""), (None if regional == listed else regional, "outside global")):
        for above, price in ((0, entry.base), *entry.tiers) if entry else ():
            said = ", ".join(filter(None, (where, f"above {above // 1000}k" if above else "")))
            yield [f"  {said}" if said else model, at, *_figures(price)]


def _figures(price: Price) -> list[str]:
    return ["–" if (rate := getattr(price, name)) is None else f"{rate:g}" for name in _RATES]


def _said(entry: Entry | None) -> dict[str, Any] | None:
    """A model's prices, of one that is listed under another name."""
    if entry is None:
        return None
    rates, *tiers = (
        {name: rate for name in _RATES if (rate := getattr(price, name)) is not None}
        for price in (entry.base, *(price for _, price in entry.tiers))
    )
    above = [{"above": edge, **said} for (edge, _), said in zip(entry.tiers, tiers, strict=True)]
    return {**rates, "tiers": above} if above else rates
