"""From what an answer said to what it cost.

The provider's own figures count. Only where it gave none (a stream that was cut, or one whose client did not ask for
them) are tokens estimated, from the bytes of the request and the characters of the answer, and the row says so. The
cached share of such a request is taken from the last one of the same model in the session: a coding tool repeats its
prefix, and pricing a cached prefix as new would be off by a factor of ten. Where the answer says what was billed, as
OpenRouter's do, that is the cost: it is a fact, and comes before the lane's own price and the table's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum

from lynkr.changes import Removed, Saving
from lynkr.lane import Lane, Price
from lynkr.ledger.prices import Entry, Table, cost
from lynkr.usage import CHARS_PER_TOKEN, Heard, Usage

# The provider whose answers say what was billed, in USD: https://openrouter.ai/docs/use-cases/usage-accounting.
_TELLS = "openrouter"


# Enough tokens for a rate, and too few for the dearer rates of long prompts.
_MANY = 1000
_REMEMBERED = 256


def _alone(*, written: bool) -> tuple[Usage, Usage]:
    """Tokens read from a cache, and as many that are new to it."""
    return Usage(cache_read=_MANY), Usage(cache_write=_MANY) if written else Usage(input=_MANY)


@dataclass(frozen=True, slots=True)
class Before:
    """What the cache of a lane would have held of a request, in tokens; `grows` says that the conversation goes on, so
    that what is new would have been written to it."""

    tokens: int
    grows: bool = True


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens and money of one request."""

    usage: Usage
    estimated: bool
    cost_usd: float | None
    baseline_usd: float | None
    compression_usd: float | None = 0.0
    savings: tuple[Saving, ...] = ()


class Meter:
    """Counts one session's requests."""

    def __init__(self, prices: Table) -> None:
        self._prices = prices
        self._shares: dict[tuple[str, str | None], float] = {}
        self._found: dict[tuple[str, str, str | None], Entry | None] = {}

    def count(
        self,
        heard: Heard,
        lane: Lane,
        model: str | None,
        asked: str | None,
        request_bytes: int,
        removed: Sequence[Removed] = (),
        before: Before | None = None,
    ) -> Cost:
        """What a request that was sent to a model, and not refused by it, cost; and what was `removed` would have.

        `before` is what the cache of the lane that it was taken from would have held, where it was.
        """
        known = (lane.name, model)
        usage, estimated = heard.usage, False
        if usage is None:
            usage, estimated = self._estimate(heard, known, request_bytes), True
        else:
            if usage.prompt:
                self._shares[known] = usage.cache_read / usage.prompt
            if not heard.final:
                # The figure at a stream's start is a placeholder of a token or so.
                usage = replace(usage, output=max(usage.output, heard.text_chars // CHARS_PER_TOKEN))
                estimated = True
        usd, guessed = self._cost(usage, lane, model or "")
        whole, savings = self._saved(usage, lane, model or "", removed)
        saved = None if any(saving.usd is None for saving in savings) else fsum(s.usd or 0.0 for s in savings)
        baseline = usd if usd is None else usd + (saved or 0.0)
        if baseline is not None and asked and before is not None:
            baseline = self._elsewhere(usage, whole, asked, before, baseline)
        elif baseline is not None and asked and asked != model:
            baseline = self._baseline(whole, asked, baseline)
        return Cost(usage, estimated or guessed, usd, baseline, saved, savings)

    def _saved(
        self, usage: Usage, lane: Lane, model: str, removed: Sequence[Removed]
    ) -> tuple[Usage, tuple[Saving, ...]]:
        """The tokens that there would have been, and what each kind of compression saved of them.

        What stood in the part that this very answer says was read from the cache would have been read from it too;
        what stood behind would have been written to it, or billed as new where nothing was written.
        """
        if not removed:
            return usage, ()
        prompt = usage.prompt
        found: dict[str, list[float]] = {}
        for part in removed:
            tokens = found.setdefault(part.kind, [0.0, 0.0])
            tokens[part.place * prompt >= usage.cache_read] += part.share * prompt
        read, new = (sum(tokens[n] for tokens in found.values()) for n in (0, 1))
        written = bool(usage.cache_write or usage.cache_write_1h)
        whole = replace(
            usage,
            billed=None,
            cache_read=usage.cache_read + round(read),
            cache_write=usage.cache_write + (round(new) if written else 0),
            input=usage.input + (0 if written else round(new)),
        )
        entry = self._entry(lane, model)
        if entry is None:
            return whole, tuple(Saving(kind, round(sum(tokens)), None) for kind, tokens in found.items())
        # The whole difference, because a longer prompt may be dearer by the token; shared out by what each kind took.
        rate_read, rate_new = (cost(each, entry)[0] / _MANY for each in _alone(written=written))
        worth = {kind: tokens[0] * rate_read + tokens[1] * rate_new for kind, tokens in found.items()}
        difference = cost(whole, entry)[0] - cost(replace(usage, billed=None), entry)[0]
        factor = difference / total if (total := fsum(worth.values())) else 0.0
        return whole, tuple(Saving(kind, round(sum(tokens)), worth[kind] * factor) for kind, tokens in found.items())

    def _entry(self, lane: Lane, model: str) -> Entry | None:
        return Entry(lane.price) if lane.price else self._find(model, lane.provider, lane.region)

    def _find(self, model: str, provider: str = "", region: str | None = None) -> Entry | None:
        """The table's entry; it is asked for with every request, and there are only ever a few."""
        key = (model, provider, region)
        if key not in self._found:
            if len(self._found) > _REMEMBERED:
                self._found.clear()  # somebody makes names up
            self._found[key] = self._prices.find(*key)
        return self._found[key]

    def _cost(self, usage: Usage, lane: Lane, model: str) -> tuple[float | None, bool]:
        """USD for `usage`, and whether that is an estimate."""
        if usage.billed is not None and lane.provider == _TELLS:
            return usage.billed, False
        entry = self._entry(lane, model)
        return cost(usage, entry) if entry else (None, False)

    def _baseline(self, usage: Usage, asked: str, usd: float) -> float:
        """What the same tokens would have cost on the model that was asked for, with the same of them cached.

        A lane that says nothing about a cache leaves open what the other's would have held; counted as all new, a
        coding session looks several times dearer than it was. Then, and where no price is known, nothing is claimed.
        """
        original = self._find(asked)
        cached = usage.cache_read or usage.cache_write or usage.cache_write_1h
        return cost(usage, original)[0] if original and cached else usd

    def _elsewhere(self, usage: Usage, whole: Usage, asked: str, before: Before, usd: float) -> float:
        """The same, of a conversation that is followed: what its own lane's cache would have held is known."""
        original = self._find(asked)
        if original is None:
            return usd
        # What this lane had in its cache, the other would have had as well.
        known = max(before.tokens, usage.cache_read)
        read = min(round(known * whole.prompt / usage.prompt), whole.prompt) if usage.prompt else 0
        new = whole.prompt - read
        cached = read > 0 or before.grows
        return cost(
            replace(
                whole, billed=None, cache_read=read, cache_write=new if cached else 0, cache_write_1h=0,
                input=0 if cached else new,
            ),
            original,
        )[0]  # fmt: skip

    def worth(self, usage: Usage, lane: Lane, model: str | None) -> float | None:
        """What so many tokens cost on a lane, in USD; None where no price is known."""
        return self._cost(replace(usage, billed=None), lane, lane.model or model or "")[0]

    def rates(self, lane: Lane, model: str | None, prompt: int) -> Price | None:
        """The rates of `model` on `lane` for a prompt of so many tokens; None where they are not known."""
        entry = self._entry(lane, lane.model or model or "")
        return entry.at(prompt) if entry else None

    def _estimate(self, heard: Heard, known: tuple[str, str | None], request_bytes: int) -> Usage:
        prompt = request_bytes // CHARS_PER_TOKEN
        read = int(prompt * self._shares.get(known, 0.0))
        return Usage(input=prompt - read, cache_read=read, output=heard.text_chars // CHARS_PER_TOKEN)
