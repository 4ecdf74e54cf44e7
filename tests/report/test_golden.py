"""Whole reports of three sessions, as they stand in golden/: whoever changes a word or a figure sees the difference.

Set LYNKR_WRITE_GOLDEN=1 to write them anew. Prices are a table of the tests' own, so that a new price changes none of
them, and the time zone is one in which the second session's evening is the next day.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from report import ledgers, shaped

from lynkr.ledger import prices

# Read now: what every test starts from is a machine without any such variable.
WRITE = "LYNKR_WRITE_GOLDEN" in os.environ
FOLDER = Path(__file__).parent / "golden"
EVER = ("--since", "2026-01-01")
REPORTS: dict[str, tuple[str, ...]] = {
    "claude.txt": ("0000YGJ4",),
    "codex.txt": ("0001X147",),
    "killed.txt": ("last",),
    "request.txt": ("0001X14M",),
    "period.txt": EVER,
    "by-session.txt": ("--by", "session"),
    "codex.json": ("0001X147", "--json"),
    "by-tool.json": (*EVER, "--by", "tool", "--json"),
    "requests.csv": (*EVER, "--csv"),
    "by-day.csv": (*EVER, "--by", "day", "--csv"),
}
RATES = {
    "claude-opus-5-5": {"input": 4, "output": 20, "cache_read": 0.2, "cache_write": 5, "cache_write_1h": 8},
    "claude-sonnet-5-5": {"input": 2, "output": 10, "cache_read": 0.1, "cache_write": 2.5, "cache_write_1h": 4},
    "claude-haiku-5-5": {"input": 0.1, "output": 0.5, "cache_read": 0.01, "cache_write": 0.125},
    "gpt-5.5": {"input": 5, "output": 30, "cache_read": 0.5},
}
MODELS = {model: {"provider": "anthropic", **rates} for model, rates in RATES.items()}
PRICES = prices.Table("2026-11-01", "the tests", MODELS)


@pytest.fixture(autouse=True)
def three_sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The three in the ledger, at the tests' own prices, on a machine in Tokyo."""
    monkeypatch.setattr(prices, "table", lambda: PRICES)
    monkeypatch.setattr(shaped, "table", lambda: PRICES)
    ledgers.fill(*(make() for make in shaped.SESSIONS))
    with ledgers.zone(ledgers.TOKYO):
        yield


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_what_it_was(name: str) -> None:
    told = ledgers.ask("report", *REPORTS[name])
    assert (told.status, told.err) == (0, "")
    path = FOLDER / name
    kept = path.read_text("utf-8") if path.exists() else ""
    if WRITE:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(told.out, "utf-8")
    lines = difflib.unified_diff(kept.splitlines(), told.out.splitlines(), f"golden/{name}", "now", lineterm="")
    assert kept == told.out, "\n".join(["LYNKR_WRITE_GOLDEN=1 writes it anew; the difference is", *lines])


def test_every_file_in_the_folder_is_compared_with_something() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(REPORTS)


@pytest.mark.parametrize("name", [name for name in REPORTS if name.endswith(".txt")])
def test_a_report_for_a_terminal_fits_into_80_columns(name: str) -> None:
    assert max(map(len, (FOLDER / name).read_text("utf-8").splitlines())) <= 80
