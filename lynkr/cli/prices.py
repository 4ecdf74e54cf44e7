"""`lynkr prices`: the price table in use."""

from __future__ import annotations

import json

import click

from lynkr.cli.speak import paint, show
from lynkr.errors import UsageError


@click.command(short_help="The price table in use, with its date.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(models: tuple[str, ...], as_json: bool) -> None:
    """USD per million tokens of MODELs (all, without any), and the day on which they were true."""
    from lynkr.ledger.prices import table
    from lynkr.report.terminal import table as columns

    prices = table()
    wanted = models or tuple(prices.models)
    found = {model: prices.find(model) for model in wanted}
    if unknown := [model for model, entry in found.items() if entry is None]:
        raise UsageError(f"no price is known for {', '.join(unknown)}; a lane's own price can be set in its profile")
    if as_json:
        data = {model: prices.models.get(model) for model in wanted}
        show([json.dumps({"date": prices.date, "source": prices.source, "models": data}, indent=1)])
        return
    rows = []
    for model, entry in found.items():
        assert entry is not None
        for above, price in ((0, entry.base), *entry.tiers):
            rates = (price.input, price.cache_read, price.cache_write, price.cache_write_1h, price.output)
            name = model if not above else f"  above {above // 1000}k"
            rows.append([name, *("–" if rate is None else f"{rate:g}" for rate in rates)])
    head = ("model", "input", "read", "write", "write 1h", "output")
    show([*columns(head, rows, 1, paint), "", f"USD per million tokens, {prices.date}, from {prices.source}."])
