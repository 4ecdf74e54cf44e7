"""A cloud's names have the cloud's prices: its own table, its regions, and never the maker's price in its place.

The figures are written out here, so that an update that garbles one is noticed.
"""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lynkr.cli.prices import command
from lynkr.lane import Price
from lynkr.ledger.prices import Entry, Table, table

OPUS = Price(4, 20, 0.2, 5, 8)
OPUS_IN_A_REGION = Price(4.4, 22, 0.22, 5.5, 8.8)
OPUS_IN_GOVCLOUD = Price(4.8, 24, 0.24, 6, 9.6)
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"


def base(model: str, provider: str, region: str | None = None) -> Price | None:
    found = table().find(model, provider, region)
    return found.base if found else None


@pytest.mark.parametrize(
    ("provider", "model", "region", "price"),
    [
        ("anthropic", "claude-opus-5-5", None, OPUS),
        ("bedrock", "global.anthropic.claude-opus-5-5", "eu-west-1", OPUS),
        ("bedrock", "us.anthropic.claude-opus-5-5", "us-east-1", OPUS_IN_A_REGION),
        ("bedrock", "eu.anthropic.claude-opus-5-5", "eu-west-1", OPUS_IN_A_REGION),
        # The Mantle endpoint's, which is a region's.
        ("bedrock", "anthropic.claude-opus-5-5", "us-east-1", OPUS_IN_A_REGION),
        ("bedrock", "anthropic.claude-opus-5-5", "ap-northeast-1", OPUS_IN_A_REGION),
        ("bedrock", "anthropic.claude-opus-4-8", "us-east-1", Price(5.5, 27.5, 0.55, 6.875, 11)),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1", Price(3.3, 16.5, 0.33, 4.125, 6.6)),
        ("bedrock", "anthropic.claude-opus-5-5", "us-gov-west-1", OPUS_IN_GOVCLOUD),
        ("bedrock", "us-gov.anthropic.claude-opus-5-5", "us-gov-east-1", OPUS_IN_GOVCLOUD),
        ("bedrock", "qwen.qwen3-coder-next", "us-west-2", Price(0.5, 1.2)),
        ("bedrock", "qwen.qwen3-coder-next", "eu-west-2", Price(0.78, 1.86)),
        ("bedrock", PROFILE + "us.anthropic.claude-opus-5-5", "us-east-1", OPUS_IN_A_REGION),
        ("vertex", "claude-opus-5-5", "global", OPUS),
        ("vertex", "claude-opus-5-5", None, OPUS),
        ("vertex", "claude-opus-5-5", "us-east5", OPUS_IN_A_REGION),
        ("vertex", "claude-opus-5-5@default", "eu", OPUS_IN_A_REGION),
        ("vertex", "claude-sonnet-4-5@20250929", "us", Price(3.3, 16.5, 0.33, 4.125, 6.6)),
        ("vertex", "gemini-4-argon", "us-central1", Price(2.2, 11, 0.11)),
        # Older than regional prices.
        ("vertex", "gemini-2.5-pro", "us-central1", Price(1.25, 10, 0.125)),
        ("databricks", "databricks-claude-opus-5-5", None, Price(4.00001, 19.99998, 0.19999, 5.00003, 8.00002)),
        ("databricks", "system.ai.claude-opus-5-5", None, Price(4.00001, 19.99998, 0.19999, 5.00003, 8.00002)),
        ("azure-anthropic", "claude-opus-5-5", None, OPUS),
        ("azure-openai", "gpt-5.5", None, Price(5, 30, 0.5)),
        ("azure-openai", "gpt-5.5-2026-04-23", None, Price(5, 30, 0.5)),
    ],
)  # fmt: skip
def test_a_model_has_the_price_of_where_it_is_served(
    provider: str, model: str, region: str | None, price: Price
) -> None:
    assert base(model, provider, region) == price


@pytest.mark.parametrize(
    ("provider", "model", "region"),
    [
        ("bedrock", "claude-opus-5-5", "us-east-1"),
        ("bedrock", "gpt-5.5", "us-east-1"),
        # A name of the runtime that is not sold on demand, and so has no price.
        ("bedrock", "anthropic.claude-opus-4-5-20251101-v1:0", "us-east-1"),
        ("bedrock", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5", "us-east-1"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/us.anthropic.claude-opus-5-5", None),
        # Sold in other regions at other prices than in the US, and in this one at one that is not listed.
        ("bedrock", "qwen.qwen3-coder-next", "ca-central-1"),
        ("bedrock", "anthropic.claude-opus-4-8", "us-gov-west-1"),
        ("bedrock", "us.anthropic.claude-opus-5-5", "us-gov-west-1"),
        ("vertex", "claude-opus-4-1-20250805", "global"),
        ("vertex", "gpt-5.5", "global"),
        ("databricks", "claude-opus-5-5", None),
        ("databricks", "system.ai.nothing", None),
        ("databricks", "our-own-endpoint", None),
        ("openrouter", "anthropic/claude-opus-5.5", None),
        # Groq's name of it, too, and Groq's price.
        ("openrouter", "openai/gpt-oss-120b", None),
        ("azure-anthropic", "our-deployment", None),
        ("azure-anthropic", "gpt-5.5", None),
        # DeepSeek's price is not Azure's.
        ("azure-openai", "deepseek-v4-pro", None),
    ],
)  # fmt: skip
def test_a_name_that_a_cloud_does_not_list_has_no_price(provider: str, model: str, region: str | None) -> None:
    assert base(model, provider, region) is None


def test_makers_do_not_know_the_names_of_clouds() -> None:
    for cloud, rows in table().clouds.items():
        named = [name for name in rows if table().find(name) is not None]
        assert cloud == "vertex" or named == []


def test_a_region_raises_every_rate_of_every_tier() -> None:
    listed, raised = (table().find("claude-haiku-5-5", "vertex", region) for region in ("global", "europe-west1"))
    assert listed == Entry(Price(0.1, 0.5, 0.01, 0.125, 0.2), ((100_000, Price(0.5, 2.5, 0.05, 0.625, 1)),))
    assert raised == Entry(Price(0.11, 0.55, 0.011, 0.1375, 0.22), ((100_000, Price(0.55, 2.75, 0.055, 0.6875, 1.1)),))


def test_a_table_without_clouds_has_no_price_at_one() -> None:
    bare = Table("2026-01-01", "here", {"m": {"input": 1, "output": 2}})
    assert bare.find("m", "anthropic") == Entry(Price(1, 2))
    assert bare.find("m", "bedrock", "us-east-1") is None


def test_every_row_of_a_cloud_is_found_and_sane() -> None:
    for cloud, rows in table().clouds.items():
        assert len(rows) > 20
        for name, row in rows.items():
            assert set(row) <= {*Price._fields, "tiers", "regional"}, name
            assert set(row) >= {"input", "output"}, name
            assert row.get("regional", 1.1) == 1.1, name
            found = table().find(name, cloud)
            assert found is not None, name
            for price in (found.base, *(tier for _, tier in found.tiers)):
                assert 0 < price.input <= price.output, name
                assert price.cache_read is None or 0 < price.cache_read <= price.input, name


def test_a_geography_is_never_cheaper_than_the_whole_world() -> None:
    rows = table().clouds["bedrock"]
    for name, row in rows.items():
        place, _, bare = name.partition(".")
        world = rows.get(f"global.{bare}")
        if world and place in ("us", "eu", "apac", "au", "jp", "in", "us-gov"):
            # Claude Sonnet 4 is older than such prices.
            factor = 1.2 if place == "us-gov" else 1.0 if "sonnet-4-2025" in name else 1.1
            if "anthropic" in name:
                assert row["input"] == pytest.approx(world["input"] * factor), name
            assert row["input"] >= world["input"], name


def prices(*words: str) -> str:
    ran = CliRunner().invoke(command, [*words])
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_the_command_shows_a_name_of_a_cloud_and_where_that_is() -> None:
    (row,) = [line.split() for line in prices("us.anthropic.claude-opus-5-5").splitlines() if "opus" in line]
    assert row == ["us.anthropic.claude-opus-5-5", "bedrock", "4.4", "0.22", "5.5", "8.8", "22"]


def test_the_command_shows_a_model_everywhere_and_what_a_region_asks() -> None:
    shown = [line.split() for line in prices("opus-5-5").splitlines()]
    assert {row[1] for row in shown if row and "opus" in row[0]} == {"anthropic", "bedrock", "databricks", "vertex"}
    regional = [row for row in shown if row[:2] == ["outside", "global"]]
    assert ["outside", "global", "vertex", "4.4", "0.22", "5.5", "8.8", "22"] in regional


def test_the_command_keeps_makers_and_clouds_apart_as_json() -> None:
    data = json.loads(prices("--json", "claude-opus-5-5", "system.ai.claude-opus-5-5"))
    assert data["models"]["claude-opus-5-5"]["provider"] == "anthropic"
    assert data["clouds"]["vertex"]["claude-opus-5-5"]["regional"] == 1.1
    assert data["clouds"]["databricks"]["system.ai.claude-opus-5-5"]["input"] == 4.00001
    everything = json.loads(prices("--json"))
    assert everything["models"] == dict(table().models)
    assert everything["clouds"] == dict(table().clouds)
