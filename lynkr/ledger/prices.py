"""What tokens cost: a dated table in the package, looked up by the model's name.

A price is never invented. A name that the table does not hold is tried without what vendors put around it (a
date, a context hint) and is then simply unknown. A rate that a vendor does not list apart is the input rate (so bill
those who have no price for cache writes); an hour-long cache write without a rate of its own makes the cost an
estimate. Some models cost more once a prompt passes a size: then every token of that request is at the higher rate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from lynkr.lane import Price
from lynkr.usage import Usage

_DATED = re.compile(r"(?:[-@]20\d{2}-?\d{2}-?\d{2}|-latest|\[1m\])$")


@dataclass(frozen=True, slots=True)
class Entry:
    """A model's prices: the list rates and, in rising order, those above a prompt size in tokens."""

    base: Price
    tiers: tuple[tuple[int, Price], ...] = ()

    def at(self, prompt_tokens: int) -> Price:
        """The rates of a request with a prompt of that size."""
        price = self.base
        for above, rates in self.tiers:
            if prompt_tokens > above:
                price = rates
        return price


@dataclass(frozen=True, slots=True)
class Table:
    """A price table and the day it was true (ISO 8601)."""

    date: str
    source: str
    models: Mapping[str, Any]

    def find(self, model: str) -> Entry | None:
        """The prices of `model`, or None where they are not known."""
        found = self.models.get(model) or self.models.get(_DATED.sub("", model))
        if found is None:
            return None
        base = {name: rate for name, rate in found.items() if name in Price.__dataclass_fields__}
        tiers = tuple((tier["above"], _price({**base, **tier})) for tier in found.get("tiers", ()))
        return Entry(_price(base), tiers)


def _price(rates: Mapping[str, Any]) -> Price:
    return Price(**{name: float(rates[name]) for name in Price.__dataclass_fields__ if name in rates})


@cache
def table() -> Table:
    """The table that the package brings."""
    data = json.loads(resources.files("lynkr.ledger").joinpath("prices.json").read_text("utf-8"))
    return Table(data["date"], data["source"], data["models"])


def cost(usage: Usage, entry: Entry) -> tuple[float, bool]:
    """USD for `usage`, and whether that is an estimate."""
    price = entry.at(usage.prompt)
    write = price.input if price.cache_write is None else price.cache_write
    hour = write if price.cache_write_1h is None else price.cache_write_1h
    read = price.input if price.cache_read is None else price.cache_read
    usd = (
        usage.input * price.input
        + usage.cache_read * read
        + usage.cache_write * write
        + usage.cache_write_1h * hour
        + usage.output * price.output
    ) / 1_000_000
    return usd, usage.extras or bool(usage.cache_write_1h and price.cache_write_1h is None)
