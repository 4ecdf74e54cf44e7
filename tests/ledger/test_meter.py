"""The provider's figures count as they are; only where they are missing are tokens estimated, and that is said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lynkr.changes import Removed
from lynkr.lane import Auth, Format, Lane, Price
from lynkr.ledger.meter import Cost, Meter
from lynkr.ledger.prices import Table
from lynkr.usage import Heard, Usage

MILLION = 1_000_000
# Round prices: a million tokens of new input cost 4 dollars, read ones 1.
PRICES = Table(
    "2026-01-01",
    "here",
    {
        "big": {"input": 4, "output": 20, "cache_read": 1, "cache_write": 5, "cache_write_1h": 8},
        "small": {"input": 2, "output": 10, "cache_read": 0.5},
    },
)
LANE = Lane("main", "anthropic", (Format.ANTHROPIC,), Auth.CLIENT)
FIGURES = Usage(input=100_000, cache_read=300_000, output=10_000)
FINAL = Heard(FIGURES, final=True, complete=True, text_chars=99)


def count(
    heard: Heard,
    model: str | None = "big",
    asked: str | None = None,
    size: int = 400,
    lane: Lane = LANE,
    meter: Meter | None = None,
    removed: Sequence[Removed] = (),
) -> Cost:
    return (meter or Meter(PRICES)).count(heard, lane, model, asked or model, size, removed)


def test_final_figures_are_taken_as_they_are() -> None:
    found = count(FINAL)
    assert found.usage is FIGURES
    assert not found.estimated
    # 0.1 × 4 + 0.3 × 1 + 0.01 × 20
    assert found.cost_usd == pytest.approx(0.9)
    assert found.baseline_usd == found.cost_usd


def test_a_stream_cut_after_its_start_has_its_output_from_the_text() -> None:
    found = count(Heard(Usage(input=1000, output=1), final=False, text_chars=400))
    assert found.usage == Usage(input=1000, output=100)
    assert found.estimated
    assert found.cost_usd == pytest.approx((1000 * 4 + 100 * 20) / MILLION)


def test_a_placeholder_that_is_more_than_the_text_stands() -> None:
    found = count(Heard(Usage(input=1000, output=7), final=False, text_chars=3))
    assert (found.usage.output, found.estimated) == (7, True)


def test_without_figures_tokens_are_estimated_from_bytes_and_characters() -> None:
    found = count(Heard(None, complete=True, text_chars=80), size=4000)
    assert (found.usage, found.estimated) == (Usage(input=1000, output=20), True)
    assert found.cost_usd == found.baseline_usd == pytest.approx(0.0044)


def test_an_estimate_has_the_cached_share_of_the_last_request_of_the_same_model() -> None:
    meter = Meter(PRICES)
    count(FINAL, meter=meter)
    found = count(Heard(), size=4000, meter=meter)
    assert found.usage == Usage(input=250, cache_read=750)
    assert found.estimated
    assert found.cost_usd == pytest.approx((250 * 4 + 750 * 1) / MILLION)


def test_the_last_share_counts_and_an_estimate_does_not_change_it() -> None:
    meter = Meter(PRICES)
    count(FINAL, meter=meter)
    count(Heard(Usage(input=50, cache_read=50), final=True), meter=meter)
    assert [count(Heard(), size=400, meter=meter).usage.cache_read for _ in range(2)] == [50, 50]


def test_figures_of_a_cut_stream_give_a_share_too() -> None:
    meter = Meter(PRICES)
    count(Heard(Usage(input=10, cache_read=90), final=False), meter=meter)
    assert count(Heard(), size=400, meter=meter).usage == Usage(input=10, cache_read=90)


def test_a_request_without_a_prompt_does_not_change_the_share() -> None:
    meter = Meter(PRICES)
    count(FINAL, meter=meter)
    count(Heard(Usage(output=5), final=True), meter=meter)
    assert count(Heard(), size=400, meter=meter).usage.cache_read == 75


def test_another_model_or_lane_has_another_share() -> None:
    meter = Meter(PRICES)
    count(FINAL, meter=meter)
    other = Lane("other", "anthropic", (Format.ANTHROPIC,), Auth.CLIENT)
    assert count(Heard(), model="small", meter=meter).usage == Usage(input=100)
    assert count(Heard(), lane=other, meter=meter).usage == Usage(input=100)


def test_a_price_of_the_lane_comes_before_the_table() -> None:
    lane = Lane("main", "openai", (Format.OPENAI_CHAT,), Auth.KEY, price=Price(input=1, output=2, cache_read=0))
    assert count(FINAL, lane=lane).cost_usd == pytest.approx(0.1 * 1 + 0.01 * 2)
    assert count(FINAL, model="unknown", lane=lane).cost_usd == pytest.approx(0.12)


def test_an_unknown_model_has_no_price_and_keeps_its_tokens() -> None:
    assert count(FINAL, model="unknown") == Cost(FIGURES, False, None, None)
    assert count(FINAL, model=None) == Cost(FIGURES, False, None, None)


def test_the_baseline_is_what_the_model_that_was_asked_for_would_have_cost() -> None:
    found = count(FINAL, model="small", asked="big")
    assert found.cost_usd == pytest.approx(0.1 * 2 + 0.3 * 0.5 + 0.01 * 10)
    assert found.baseline_usd == pytest.approx(0.9)
    # Another model counts the same text otherwise: the report says so of the saving. The cost is exact.
    assert not found.estimated


def test_an_asked_model_without_a_price_claims_no_saving() -> None:
    found = count(FINAL, model="small", asked="unknown")
    assert found.cost_usd is not None
    assert found.baseline_usd == found.cost_usd
    assert not found.estimated


def test_an_unpriced_model_in_place_of_a_priced_one_claims_no_saving() -> None:
    found = count(FINAL, model="unknown", asked="big")
    assert found.cost_usd is found.baseline_usd is None


def test_a_lane_that_says_nothing_of_a_cache_claims_no_saving() -> None:
    uncached = Heard(usage=Usage(input=100_000, output=100), final=True, complete=True)
    found = count(uncached, model="small", asked="big")
    assert found.baseline_usd == found.cost_usd


def test_a_request_that_names_no_model_is_its_own_baseline() -> None:
    found = Meter(PRICES).count(FINAL, LANE, "big", None, 400)
    assert found.baseline_usd == found.cost_usd
    assert not found.estimated


def test_what_is_billed_besides_tokens_makes_the_cost_an_estimate() -> None:
    assert count(Heard(Usage(input=10, extras=True), final=True)).estimated


def test_an_hour_long_write_without_a_rate_makes_the_cost_an_estimate() -> None:
    hour = Heard(Usage(cache_write_1h=10), final=True)
    assert not count(hour, model="big").estimated
    assert count(hour, model="small").estimated


def test_what_was_removed_is_worth_what_it_would_have_cost_where_it_stood() -> None:
    """Of 400,000 tokens 300,000 were read: what stood among those would have been read as well, at a quarter."""
    removed = [Removed("chatter", 0.1, 0.5), Removed("chatter", 0.05, 0.9), Removed("paths", 0.2, 0.1)]
    found = count(FINAL, removed=removed)
    saved = {saving.kind: (saving.tokens, pytest.approx(saving.usd)) for saving in found.savings}
    # 40,000 read at 1 dollar and 20,000 new at 4; 80,000 read at 1.
    assert saved == {"chatter": (60_000, 0.04 + 0.08), "paths": (80_000, 0.08)}
    assert found.compression_usd == pytest.approx(0.2)
    assert found.cost_usd == pytest.approx(0.9)
    assert found.baseline_usd == pytest.approx(1.1)


def test_what_would_have_been_written_to_the_cache_is_worth_a_write() -> None:
    heard = Heard(Usage(cache_write=100_000), final=True, complete=True)
    found = count(heard, removed=[Removed("chatter", 0.5, 0.5)])
    assert found.compression_usd == pytest.approx(0.05 * 5)


def test_what_was_removed_without_a_price_is_counted_and_has_no_worth() -> None:
    found = count(FINAL, model="nobodys", removed=[Removed("chatter", 0.25, 0.9)])
    assert [(s.kind, s.tokens, s.usd) for s in found.savings] == [("chatter", 100_000, None)]
    assert (found.compression_usd, found.cost_usd) == (None, None)


def test_nothing_removed_saves_nothing() -> None:
    found = count(FINAL)
    assert (found.savings, found.compression_usd) == ((), 0.0)


def test_a_cheaper_model_and_fewer_tokens_are_not_counted_twice() -> None:
    found = count(FINAL, model="small", asked="big", removed=[Removed("chatter", 0.1, 0.99)])
    # On the big one, with 40,000 tokens more that are new: 0.14 × 4 + 0.3 × 1 + 0.01 × 20.
    assert found.baseline_usd == pytest.approx(0.56 + 0.3 + 0.2)
    assert found.compression_usd == pytest.approx(0.04 * 2)
