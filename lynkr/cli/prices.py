"""`lynkr prices`: the price table in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from lynkr.cli.speak import paint, show
from lynkr.errors import UsageError

if TYPE_CHECKING:
    from lynkr.ledger.prices import Table


@click.command(short_help="The price table in use, with its date.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(models: tuple[str, ...], as_json: bool) -> None:
    """USD per million tokens, and the day on which that was true.

    MODEL is a name or a part of one; without any, all are shown.
    """
    from lynkr.ledger.prices import table
    from lynkr.report.terminal import table as columns

    prices = table()
    wanted = [name for word in models for name in _matching(word, prices)] if models else list(prices.models)
    found = {name: entry for name in wanted if (entry := prices.find(name)) is not None}
    if as_json:
        data = {model: prices.models.get(model) for model in wanted}
        show([json.dumps({"date": prices.date, "source": prices.source, "models": data}, indent=1)])
        return
    rows = []
    for model, entry in found.items():
        for above, price in ((0, entry.base), *entry.tiers):
            rates = (price.input, price.cache_read, price.cache_write, price.cache_write_1h, price.output)
            name = model if not above else f"  above {above // 1000}k"
            rows.append([name, *("–" if rate is None else f"{rate:g}" for rate in rates)])
    head = ("model", "input", "read", "write", "write 1h", "output")
    show([*columns(head, rows, 1, paint), "", f"USD per million tokens, {prices.date}, from {prices.source}."])


def _matching(word: str, prices: Table) -> list[str]:
    """The model called `word`, or all whose names hold it."""
    if prices.find(word) is not None:
        return [word]
    names = [name for name in prices.models if word.lower() in name.lower()]
    if not names:
        raise UsageError(f"no price is known for {word!r}; a lane's own price can be set in its profile")
    return names
