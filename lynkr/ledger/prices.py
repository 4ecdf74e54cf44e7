"""What tokens cost: a dated table in the package, looked up by the model's name and where it is served.

A price is never invented. A name that the table does not hold is tried without what vendors put around it (a
date, a context hint) and is then simply unknown. A rate that a vendor does not list apart is the input rate (so bill
those who have no price for cache writes); an hour-long cache write without a rate of its own makes the cost an
estimate. Some models cost more once a prompt passes a size: then every token of that request is at the higher rate.

A cloud names and prices others' models in its own way, and has a table of its own: a name that is not in there has no
price, and never the maker's. At Bedrock the name says which endpoint and geography is meant, and some regions have a
price of their own; Vertex asks more of some models in any region but `global`. Azure's deployments are priced as the
models of their maker that they are named after.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from lynkr.lane import Price
from lynkr.usage import Usage

_DATED = re.compile(r"(?:[-@]20\d{2}-?\d{2}-?\d{2}|-latest|\[1m\])$")
# OpenRouter has no table: its answers say what was billed.
_CLOUDS = ("bedrock", "databricks", "openrouter", "vertex")
_DEPLOYED = {"azure-anthropic": "anthropic", "azure-openai": "openai"}
_PROFILE = re.compile(r"arn:.*:inference-profile/")
# Partitions of AWS with prices of their own; lists are otherwise those of the regions in the US.
_APART = re.compile(r"us-gov-|us-iso|eusc-|cn-")
_LISTED = re.compile(r"us-(?:east|west)-")


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
    """A price table and the day it was true (ISO 8601): the makers' models, and by provider those of clouds."""

    date: str
    source: str
    models: Mapping[str, Any]
    clouds: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def listed(self, model: str, provider: str = "") -> str:
        """The table's own name of `model`, without a date and the like; "" where it has none."""
        if provider in _CLOUDS:
            return model if self.find(model, provider) else ""
        bare = _DATED.sub("", model)
        return next((name for name in (model, bare) if name in self.models), "")

    def find(self, model: str, provider: str = "", region: str | None = None) -> Entry | None:
        """The prices of `model` at `provider` (the maker's without one) in `region`; None where they are not known."""
        if provider in _CLOUDS:
            found = _at_cloud(self.clouds.get(provider, {}), model, provider, region)
        else:
            found = self.models.get(model) or self.models.get(_DATED.sub("", model))
            if found is not None and found.get("provider") != _DEPLOYED.get(provider, found.get("provider")):
                return None
        if found is None:
            return None
        factor = found.get("regional", 1.0) if region not in (None, "global") else 1.0
        base = {name: rate for name, rate in found.items() if name in Price._fields}
        tiers = tuple((tier["above"], _price({**base, **tier}, factor)) for tier in found.get("tiers", ()))
        return Entry(_price(base, factor), tiers)


def _at_cloud(
    rows: Mapping[str, Mapping[str, Any]], model: str, cloud: str, region: str | None
) -> Mapping[str, Any] | None:
    """The row of a cloud's name."""
    if cloud == "databricks" and model.startswith("system.ai."):
        # The gateway's name of the same pay-per-token model.
        return rows.get("databricks-" + model.removeprefix("system.ai."))
    if cloud != "bedrock":
        return rows.get(model)
    name = _PROFILE.sub("", model)
    if region is None or f"{region}/{name}" in rows or _LISTED.match(region):
        return rows.get(f"{region}/{name}", rows.get(name))
    if _APART.match(region):
        return rows.get(name) if name.startswith("us-gov.") else None
    # Where other regions have another price than the US, one that is not among them has an unknown one.
    elsewhere = any(row.endswith(f"/{name}") and not row.startswith("us-") for row in rows)
    return None if elsewhere else rows.get(name)


def _price(rates: Mapping[str, Any], factor: float) -> Price:
    return Price(**{n: round(float(rates[n]) * factor, 9) for n in Price._fields if n in rates})


@cache
def table() -> Table:
    """The table that the package brings."""
    data = json.loads(resources.files("lynkr.ledger").joinpath("prices.json").read_text("utf-8"))
    return Table(data["date"], data["source"], data["models"], data["clouds"])


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
