"""What OpenRouter says it billed is the cost; what anybody else says of a cost is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lynkr.formats.anthropic.figures import AnswerWatch as Messages
from lynkr.formats.openai_chat.figures import AnswerWatch as Chat
from lynkr.formats.openai_responses.figures import AnswerWatch as Responses
from lynkr.formats.watch import Watch
from lynkr.lane import Auth, Format, Lane, Price
from lynkr.ledger.meter import Cost, Meter
from lynkr.ledger.prices import Table
from lynkr.usage import Heard, Usage, billed

TABLE = Table(
    "2026-01-01",
    "here",
    {"asked": {"input": 4, "output": 20, "cache_read": 1}, "m": {"input": 2, "output": 10}},
    {"vertex": {"m": {"input": 3, "output": 15, "regional": 1.5}}},
)
USAGE = Usage(input=100_000, cache_read=100_000, output=10_000, billed=0.75)
FIGURES = {
    Chat: {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    Responses: {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12},
    Messages: {"input_tokens": 10, "output_tokens": 2},
}
OWN_KEY = {"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 1.0}}


def lane(provider: str, price: Price | None = None, region: str | None = None) -> Lane:
    return Lane("main", provider, (Format.OPENAI_CHAT,), Auth.KEY, price=price, region=region)


def count(usage: Usage, provider: str, asked: str = "m", price: Price | None = None, final: bool = True) -> Cost:
    heard = Heard(usage, final=final, complete=final, text_chars=400)
    return Meter(TABLE).count(heard, lane(provider, price), "m", asked, 400)


def test_what_openrouter_billed_is_the_cost_and_no_estimate() -> None:
    found = count(USAGE, "openrouter")
    assert (found.cost_usd, found.baseline_usd, found.estimated) == (0.75, 0.75, False)


def test_what_was_billed_holds_tools_and_tiers_already() -> None:
    assert not count(Usage(input=10, extras=True, billed=0.5), "openrouter").estimated


def test_what_was_billed_comes_before_the_lanes_own_price() -> None:
    assert count(USAGE, "openrouter", price=Price(1, 1)).cost_usd == 0.75
    unsaid = Usage(input=100_000, output=10_000)
    assert count(unsaid, "openrouter", price=Price(1, 1)).cost_usd == pytest.approx(0.11)


def test_without_a_bill_or_a_price_openrouter_costs_what_is_not_known() -> None:
    assert count(Usage(input=100_000), "openrouter").cost_usd is None


def test_a_bill_of_nothing_is_one() -> None:
    assert count(Usage(input=100_000, billed=0.0), "openrouter").cost_usd == 0


@pytest.mark.parametrize("provider", ["openai", "anthropic", "custom", "xai"])
def test_nobody_elses_bill_is_believed(provider: str) -> None:
    assert count(USAGE, provider).cost_usd == pytest.approx(0.2 * 2 + 0.01 * 10)


def test_a_saving_is_against_the_price_of_what_was_asked_for() -> None:
    found = count(USAGE, "openrouter", asked="asked")
    assert found.baseline_usd == pytest.approx(0.1 * 4 + 0.1 * 1 + 0.01 * 20)
    assert found.cost_usd == 0.75


def test_tokens_of_a_cut_stream_stay_an_estimate_though_its_bill_is_known() -> None:
    found = count(Usage(input=10, output=1, billed=0.5), "openrouter", final=False)
    assert (found.usage.output, found.cost_usd, found.estimated) == (100, 0.5, True)


def test_a_request_is_priced_where_and_in_which_region_its_lane_is() -> None:
    heard = Heard(Usage(input=1_000_000), final=True)
    for region, usd in (("global", 3), ("us-east5", 4.5)):
        found = Meter(TABLE).count(heard, lane("vertex", region=region), "m", "m", 400)
        assert found.cost_usd == pytest.approx(usd)


@pytest.mark.parametrize(
    ("said", "usd"),
    [
        ({"cost": 0.25}, 0.25),
        ({"cost": 0}, 0.0),
        ({"cost": 0.25, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.25}}, 0.25),
        (OWN_KEY, 1.05),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}, 0.5),
        # The fee alone is not what it cost.
        ({"cost": 0.05, "is_byok": True}, None),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        ({"cost": 0.05, "is_byok": True, "cost_details": "none"}, None),
        ({}, None),
        ({"cost": None}, None),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": "0.5"}, None),
        ({"cost": float("nan")}, None),
        ({"cost": float("inf")}, None),
        ({"cost": 10**400}, None),
    ],
)
def test_only_an_amount_of_money_is_a_bill(said: dict[str, Any], usd: float | None) -> None:
    assert billed(said) == (None if usd is None else pytest.approx(usd))


@pytest.mark.parametrize("watch", FIGURES)
def test_a_bill_is_read_in_each_format_that_openrouter_speaks(watch: type[Watch]) -> None:
    for said, usd in (({}, None), ({"cost": 0.25}, 0.25), (OWN_KEY, 1.05)):
        listener = watch()
        listener.body(json.dumps({"usage": FIGURES[watch] | said}).encode())
        usage = listener.heard().usage
        assert usage is not None
        assert (usage.input, usage.output) == (10, 2)
        assert usage.billed == (None if usd is None else pytest.approx(usd))


def test_a_bill_at_the_end_of_a_stream_is_read() -> None:
    chat, messages = Chat(), Messages()
    chat.block(b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5}}\n\n')
    messages.block(b'data: {"type":"message_start","message":{"usage":{"input_tokens":1,"output_tokens":1}}}\n\n')
    messages.block(b'data: {"type":"message_delta","usage":{"output_tokens":2,"cost":0.5}}\n\n')
    for listener in (chat, messages):
        usage = listener.heard().usage
        assert usage is not None
        assert (usage.input, usage.output, usage.billed) == (1, 2, 0.5)
