"""A sceptic redoes the figures: with fractions, from the ledger's rows as SQLite has them and the prices as
`lynkr prices` lists them, by the formulas of docs/reports.md. Nothing of what lynkr computes with is used.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import lynkr, profile
from report import ledgers, shaped
from scripts import anthropic, upstream

from lynkr.ledger.meter import Meter
from lynkr.ledger.prices import table
from lynkr.ledger.row import Row, Session
from lynkr.usage import Heard, Usage

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "reports.md"
COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
MONEY = ("cost_usd", "baseline_usd", "saved_usd")
PARTS = ("routing_usd", "compression_usd", "answers_usd", "bypass_usd")
# Every sum is given to a billionth of a dollar.
DUST = Fraction(1, 10**9)
JAPAN = timedelta(hours=9)
VIEWS = {
    "day": lambda row: (datetime.fromisoformat(row["at"]) + JAPAN).date().isoformat(),
    "lane": lambda row: row["lane"],
    "model": lambda row: row["model"],
    "tool": lambda row: row["tool"],
    "project": lambda row: row["project"],
    "session": lambda row: row["session"],
}
# What shaped.py says of its third, sixth, … turn: the share that each kind took out, and where it stood.
REMOVED = {"pytest": (Fraction("0.021"), Fraction("0.97")), "repeat": (Fraction("0.008"), Fraction("0.5"))}
# What it says the other lane's cache would have held of the subagent's requests.
HELD = (0, 4000, 8000)
# Prices by size, for an hour, of a cloud, and rates that a vendor does not list.
ODD = [
    ("anthropic", "claude-haiku-5-5", Usage(input=90_000, cache_read=10_000, output=77)),
    ("anthropic", "claude-haiku-5-5", Usage(input=90_000, cache_read=10_001, output=77)),
    ("anthropic", "claude-opus-5-5", Usage(3, 50_001, 1_007, 2_003, 411)),
    ("gemini", "gemini-2.5-pro", Usage(input=150_000, cache_read=70_000, output=1_234, reasoning=1_000)),
    ("openai", "gpt-5.5", Usage(input=1_234, cache_read=4_321, cache_write=77, output=99)),
    ("deepseek", "deepseek-chat", Usage(input=17, cache_write=1_013, output=5)),
    ("zai", "glm-4.5", Usage(input=1_201, cache_read=3_407, output=5)),
    ("bedrock", "us.anthropic.claude-opus-4-8", Usage(7, 40_009, 1_009, 0, 301)),
    ("bedrock", "claude-opus-5-5", Usage(input=1_000, output=10)),
]


def odd() -> tuple[Session, list[Row]]:
    """A session of one request for each of the odd prices."""
    making = shaped._Making("2026-11-18T00:00:00.000+00:00", 9)
    session, meter = Session(making.id(), "aider", "odd", "/p", "2026-11-18T00:00:00Z", 1.0, 0), Meter(table())
    rows = []
    for place, model, usage in ODD:
        lane = shaped.Lane(place, place, (shaped.Format.ANTHROPIC,), shaped.Auth.KEY)
        cost = meter.count(Heard(usage, complete=True, final=True), lane, model, model, 0)
        rows.append(
            Row(making.id(), "2026-11-18T00:00:00.000Z", lane=place, provider=place, model=model, asked_model=model,
                usage=usage, estimated=cost.estimated, cost_usd=cost.cost_usd, baseline_usd=cost.baseline_usd, ms=1.0)
        )  # fmt: skip
    return session, rows


@pytest.fixture(autouse=True)
def four_sessions() -> Iterator[None]:
    """The shaped sessions and the odd one in the ledger, in a zone where an evening in UTC is the next day."""
    ledgers.fill(*(make() for make in (*shaped.SESSIONS, odd)))
    with ledgers.zone(ledgers.TOKYO):
        yield


def exactly(*words: str) -> Any:
    """What a command says as JSON, with every figure as the fraction that it is written as."""
    told = ledgers.ask(*words)
    assert (told.status, told.err) == (0, "")
    return json.loads(told.out, parse_float=Fraction)


def raw(home: Path) -> list[dict[str, Any]]:
    """Every request as SQLite has it, with its session's columns."""
    with sqlite3.connect(f"file:{home}/lynkr/data/ledger.db?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        query = (
            "SELECT requests.*, tool, project FROM requests JOIN sessions ON sessions.id = session ORDER BY requests.id"
        )
        found = db.execute(query)
        return [dict(row) for row in found]


def by_session(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for row in rows:
        found[row["session"]].append(row)
    return found


def total(amounts: Sequence[float | None]) -> Fraction | None:
    """The exact sum of what is known; None of nothing known."""
    known = [Fraction(amount) for amount in amounts if amount is not None]
    return sum(known, Fraction()) if known or not amounts else None


def close(found: Fraction | float | None, expected: Fraction | None, dust: Fraction = DUST) -> bool:
    if found is None or expected is None:
        return found is expected is None
    return abs(Fraction(found) - expected) <= dust


# --- prices -----------------------------------------------------------------------------------------------------------


def formula(beginning: str) -> str:
    """A formula of the document that holds these words, as Python."""
    line = next(line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith(f"    {beginning}"))
    return line.strip().replace(",", "").replace("×", "*")


def rates(
    prices: Mapping[str, Any], provider: str | None, model: str | None, prompt: int
) -> dict[str, Fraction] | None:
    """What a model's tokens cost by the kind, for a prompt of that size."""
    listed = prices["clouds"].get(provider, prices["models"]).get(model)
    if listed is None:
        return None
    for tier in listed.get("tiers", ()):
        if prompt > tier["above"]:
            listed = {**listed, **tier}
    names = {"p_read": "cache_read", "p_write": "cache_write", "p_write_1h": "cache_write_1h", "p_output": "output"}
    return {"p_input": listed["input"], **{p: listed.get(name, listed["input"]) for p, name in names.items()}}


def tokens_of(request: Mapping[str, Any]) -> dict[str, int]:
    hour = request["cache_write_1h_tokens"]
    return {"input": request["input_tokens"], "read": request["cache_read_tokens"], "output": request["output_tokens"],
            "write": request["cache_write_tokens"] - hour, "write_1h": hour}  # fmt: skip


def priced(
    prices: Mapping[str, Any], provider: str | None, model: str | None, tokens: Mapping[str, int]
) -> Fraction | None:
    found = rates(prices, provider, model, sum(tokens.values()) - tokens["output"])
    if found is None:
        return None
    return Fraction(eval(formula("(input × p_input"), {}, {**tokens, **found}))


def without_compression(request: Mapping[str, Any]) -> dict[str, int]:
    """The tokens that there would have been."""
    tokens = tokens_of(request)
    if not request["removed_tokens"]:
        return tokens
    prompt = sum(tokens.values()) - tokens["output"]
    left_out = {"read": Fraction(), "write": Fraction()}
    for share, place in REMOVED.values():
        left_out["read" if place * prompt < tokens["read"] else "write"] += share * prompt
    return {**tokens, **{name: tokens[name] + round(count) for name, count in left_out.items()}}


def test_every_cost_is_tokens_times_prices(clean_machine: Path) -> None:
    prices, seen = exactly("prices", "--json"), 0
    for session in by_session(raw(clean_machine)):
        for request in exactly("report", session, "--json")["requests"]:
            if request["answered"] or request["outcome"] == "refused":
                assert request["cost_usd"] == 0
                continue
            expected = priced(prices, request["provider"], request["model"], tokens_of(request))
            assert close(request["cost_usd"], expected), request
            seen += expected is not None
    assert seen == 24 + 3 + 11 + 1 + 8


@pytest.mark.parametrize("at", range(24))
def test_a_long_turns_baseline_is_its_cost_with_what_was_left_out(at: int) -> None:
    prices = exactly("prices", "--json")
    requests = exactly("report", "0000YGJ4", "--json")["requests"]
    request = [request for request in requests if request["who"] == "main"][at]
    expected = priced(prices, request["provider"], request["asked_model"], without_compression(request))
    assert expected is not None
    assert close(request["baseline_usd"], expected)
    assert close(request["compression_usd"], expected - Fraction(request["cost_usd"]), 2 * DUST)
    assert bool(request["removed_tokens"]) is (at % 3 == 2)


def test_what_each_kind_of_compression_saved_is_its_tokens_at_the_rate_of_where_they_stood() -> None:
    prices, places = exactly("prices", "--json"), set()
    for request in exactly("report", "0000YGJ4", "--json")["requests"]:
        if not request["savings"]:
            continue
        tokens = tokens_of(request)
        prompt = sum(tokens.values()) - tokens["output"]
        rate = rates(prices, request["provider"], request["model"], prompt)
        assert rate is not None
        for saving in request["savings"]:
            share, place = REMOVED[saving["kind"]]
            assert saving["tokens"] == round(share * prompt)
            cached = place * prompt < tokens["read"]
            places.add((saving["kind"], cached))
            # The report rounds tokens, so that much is open.
            expected = share * prompt * rate["p_read" if cached else "p_write"] / 1_000_000
            assert close(saving["usd"], expected, rate["p_write"] / 1_000_000)
        assert request["removed_tokens"] == sum(saving["tokens"] for saving in request["savings"])
        assert close(request["compression_usd"], sum((Fraction(s["usd"]) for s in request["savings"]), Fraction()))
    assert places >= {("pytest", False), ("repeat", True)}


def test_a_subagents_baseline_is_what_it_would_have_cost_had_it_stayed() -> None:
    prices = exactly("prices", "--json")
    requests = [r for r in exactly("report", "0000YGJ4", "--json")["requests"] if r["who"] == "subagent"]
    for request, held in zip(requests, HELD, strict=True):
        prompt = request["input_tokens"]
        read = min(held, prompt)
        stayed = {"input": 0, "read": read, "write": prompt - read, "write_1h": 0, "output": request["output_tokens"]}
        assert close(request["baseline_usd"], priced(prices, "anthropic", request["asked_model"], stayed))


def test_another_models_baseline_is_the_same_tokens_at_the_prices_of_the_one_that_was_asked_for() -> None:
    prices = exactly("prices", "--json")
    requests = [r for r in exactly("report", "0001X147", "--json")["requests"] if r["asked_model"] == "gpt-5.5"]
    assert len(requests) == 11
    for request in requests:
        assert close(request["baseline_usd"], priced(prices, "openai", "gpt-5.5", tokens_of(request)))


# --- sums -------------------------------------------------------------------------------------------------------------


def check_sums(found: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """That totals and savings are the sums of these rows of the file."""
    totals, savings = found["totals"], found["savings"]
    assert totals["requests"] == len(rows)
    for name in COUNTS:
        written = name == "cache_write_tokens"
        assert totals[name] == sum(row[name] + (row["cache_write_1h_tokens"] if written else 0) for row in rows), name
    for name in ("cost_usd", "baseline_usd"):
        assert close(totals[name], total([row[name] for row in rows])), name
    cost, baseline = totals["cost_usd"], totals["baseline_usd"]
    assert close(totals["saved_usd"], None if cost is None else Fraction(baseline) - Fraction(cost), 2 * DUST)
    assert totals["unpriced_requests"] == sum(row["cost_usd"] is None for row in rows)
    assert close(totals["estimated_usd"], total([row["cost_usd"] for row in rows if row["estimated"]]) or Fraction())
    assert totals["estimated"] is any(row["estimated"] or row["cost_usd"] != row["baseline_usd"] for row in rows)
    check_savings(savings, totals, rows)


def check_savings(savings: Mapping[str, Any], totals: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    assert close(sum(Fraction(savings[name]) for name in PARTS), Fraction(totals["saved_usd"] or 0), 4 * DUST)
    known = [row for row in rows if row["cost_usd"] is not None]
    gains = [(row["answered"] or "", Fraction(row["baseline_usd"]) - Fraction(row["cost_usd"])) for row in known]
    asked = sum((gain for answered, gain in gains if not answered), Fraction())
    expected = {
        "compression_usd": total([row["compression_usd"] for row in known]) or Fraction(),
        "answers_usd": sum((gain for way, gain in gains if way.startswith(("exact:", "semantic:"))), Fraction()),
        "bypass_usd": sum((gain for way, gain in gains if way.startswith("bypass:")), Fraction()),
    }
    expected["routing_usd"] = asked - expected["compression_usd"]
    for name, amount in expected.items():
        assert close(savings[name], amount, 4 * DUST), name
    kinds: dict[str, list[Fraction]] = defaultdict(lambda: [Fraction(), Fraction()])
    for row in rows:
        for kind, tokens, usd in json.loads(row["savings"]):
            kinds[kind][0] += tokens
            kinds[kind][1] += Fraction(usd)
    assert {kind["kind"]: kind["tokens_removed"] for kind in savings["kinds"]} == {k: t for k, (t, _) in kinds.items()}
    assert all(close(kind["saved_usd"], kinds[kind["kind"]][1]) for kind in savings["kinds"])
    assert savings["tokens_removed"] == sum(row["removed_tokens"] for row in rows)
    assert savings["faults"] == sum(row["faults"] for row in rows)


def test_a_sessions_sums_are_those_of_its_rows(clean_machine: Path) -> None:
    for session, rows in by_session(raw(clean_machine)).items():
        found = exactly("report", session, "--json")
        assert [request["id"] for request in found["requests"]] == [row["id"] for row in rows]
        check_sums(found, rows)


def test_a_sessions_lanes_are_what_sqlite_makes_of_them(clean_machine: Path) -> None:
    query = (
        "SELECT lane, provider, model, count(*), sum(input_tokens), sum(cache_read_tokens), "
        "sum(cache_write_tokens + cache_write_1h_tokens), sum(output_tokens), sum(cost_usd), "
        "sum(outcome IN ('refused', 'cut') OR error IS NOT NULL) FROM requests WHERE session = ? AND lane IS NOT NULL "
        "GROUP BY lane, provider, model ORDER BY min(id)"
    )
    with sqlite3.connect(clean_machine / "lynkr" / "data" / "ledger.db") as db:
        for session in by_session(raw(clean_machine)):
            lanes = exactly("report", session, "--json")["lanes"]
            expected = db.execute(query, (session,)).fetchall()
            names = ("lane", "provider", "model", "requests", *COUNTS)
            assert [tuple(lane[name] for name in names) for lane in lanes] == [row[:8] for row in expected]
            assert all(close(lane["cost_usd"], total([row[8]])) for lane, row in zip(lanes, expected, strict=True))
            assert [lane["failures"] for lane in lanes] == [row[9] for row in expected]


def test_a_lanes_p50_is_the_middle_of_its_times(clean_machine: Path) -> None:
    for session, rows in by_session(raw(clean_machine)).items():
        for lane in exactly("report", session, "--json")["lanes"]:
            times = sorted(
                Fraction(row["ms"])
                for row in rows
                if (row["lane"], row["model"]) == (lane["lane"], lane["model"]) and not row["answered"]
            ) or [Fraction(0)]
            middle = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2
            assert close(lane["p50_ms"], middle, Fraction(1, 20))


@pytest.mark.parametrize("view", VIEWS)
def test_every_group_of_a_view_has_the_sums_of_its_rows(clean_machine: Path, view: str) -> None:
    found = exactly("report", "--by", view, "--json")
    rows = raw(clean_machine)
    check_sums(found, rows)
    groups = defaultdict(list)
    for row in rows:
        groups[VIEWS[view](row)].append(row)
    assert {group[view] for group in found["by"][view]} == set(groups)
    for group in found["by"][view]:
        check_sums(group, groups[group[view]])
        assert group.get("sessions", 1) == len({row["session"] for row in groups[group[view]]})


# --- what is shown ----------------------------------------------------------------------------------------------------


class Tables(HTMLParser):
    """The tables of a page: heading → rows of cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = defaultdict(list)
        self._heading, self._text = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.found[self._heading].append([])
        if tag in ("h2", "td", "th", "caption"):
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2":
            self._heading = self._text
        elif tag in ("td", "th"):
            self.found[self._heading][-1].append(self._text)


def shows(cell: str, figure: Fraction | float | None) -> bool:
    """Whether a cell is that figure, to the digits that it has."""
    if figure is None or cell == "–":
        return cell == "–" and not figure
    if cell in ("<$0.0001", "-<$0.0001"):
        return 0 < abs(figure) < Fraction(1, 10_000)
    found = re.fullmatch(r"(-?)\$?(\d[\d,]*)(?:\.(\d+))?([kM]?)~?", cell)
    assert found, cell
    sign, whole, digits, unit = found.groups()
    value = Fraction(f"{sign}{whole.replace(',', '')}.{digits or 0}")
    scale = {"": 1, "k": 1000, "M": 1_000_000}[unit]
    return abs(value * scale - Fraction(figure)) <= Fraction(scale, 2 * 10 ** len(digits or ""))


@pytest.mark.parametrize("session", ["0000YGJ4", "0001X147", "0002VHPA"])
def test_the_pages_list_of_requests_is_the_json_reports(session: str) -> None:
    head, *rows = Tables(ledgers.ask("report", session, "--html", "-").out).found["Requests"]
    requests = exactly("report", session, "--json")["requests"]
    assert len(rows) == len(requests)
    for cells, request in zip(rows, requests, strict=True):
        row = dict(zip(head, cells, strict=True))
        assert row["time"] == request["at"][11:19]
        assert shows(row["in"], sum(request[name] for name in COUNTS[:3]))
        assert shows(row["out"], request["output_tokens"])
        assert shows(row["not sent"], request["removed_tokens"])
        assert shows(row["cost"], request["cost_usd"])
        assert row["cost"].endswith("~") is request["estimated"]
        gain = (
            None if request["cost_usd"] is None else Fraction(request["baseline_usd"]) - Fraction(request["cost_usd"])
        )
        assert shows(row["saved"], gain)


@pytest.mark.parametrize("view", VIEWS)
def test_the_pages_view_is_the_json_reports(view: str) -> None:
    found = Tables(ledgers.ask("report", "--by", view, "--html", "-").out).found
    head, *rows = found["Sessions" if view == "session" else f"By {view}"]
    groups = exactly("report", "--by", view, "--json")["by"][view]
    for cells, group in zip(rows, groups, strict=True):
        row, totals = dict(zip(head, cells, strict=True)), group["totals"]
        assert shows(row["requests"], totals["requests"])
        assert shows(row["failed"], group["totals"]["failures"])
        assert shows(row["in"], sum(totals[name] for name in COUNTS[:3]))
        assert shows(row["out"], totals["output_tokens"])
        assert shows(row["cost"], totals["cost_usd"])
        assert shows(row["saved"], totals["saved_usd"])


@pytest.mark.parametrize("view", VIEWS)
def test_the_terminals_view_is_the_json_reports(view: str) -> None:
    lines = ledgers.ask("report", "--by", view).out.splitlines()
    first = lines.index(f"By {view}") + 2
    groups = exactly("report", "--by", view, "--json")["by"][view]
    for line, group in zip(lines[first : first + len(groups)], groups, strict=True):
        totals = group["totals"]
        requests, _, tokens, cost, saved = re.sub(r"  [█▏▎▍▌▋▊▉]+$", "", line).split()[-5:]
        assert shows(requests, totals["requests"])
        assert shows(tokens, sum(totals[name] for name in COUNTS))
        assert shows(cost, totals["cost_usd"])
        assert shows(saved, totals["saved_usd"])


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "session"])
def test_the_terminals_bars_are_in_proportion_to_the_money(view: str) -> None:
    groups = exactly("report", "--by", view, "--json")["by"][view]
    lines = ledgers.ask("report", "--by", view).out.splitlines()
    first = lines.index(f"By {view}") + 2
    lengths = [8 * line.count("█") + sum(line.count(mark) * n for n, mark in enumerate(" ▏▎▍▌▋▊▉"))
               for line in lines[first : first + len(groups)]]  # fmt: skip
    costs = [Fraction(group["totals"]["cost_usd"] or 0) for group in groups]
    for length, cost in zip(lengths, costs, strict=True):
        # A bar is drawn in eighths of a column, and what is more than nothing has one.
        assert abs(length - cost / max(costs) * max(lengths)) <= 1, (lengths, [float(cost) for cost in costs])


def test_what_failed_is_as_many_on_the_sessions_page_as_in_the_period() -> None:
    tools = {
        group["tool"]: group["totals"]["failures"]
        for group in exactly("report", "--by", "tool", "--json")["by"]["tool"]
    }
    for tool, session in (("claude", "0000YGJ4"), ("codex", "0001X147"), ("python agent.py", "0002VHPA")):
        page = ledgers.ask("report", session, "--html", "-").out
        said = f"{tools[tool]} failed" if tools[tool] else "none failed"
        assert f"<small>{said}</small>" in page, tool


def test_what_is_not_known_is_not_shown_as_nothing() -> None:
    assert exactly("report", "0002VHPA", "--json")["totals"]["saved_usd"] is None
    assert "<dt>Saved</dt><dd>$0.00" not in ledgers.ask("report", "0002VHPA", "--html", "-").out


# --- from the wire ----------------------------------------------------------------------------------------------------


def test_what_a_provider_counted_is_what_the_report_says(clean_machine: Path) -> None:
    code = (
        "import os, urllib.request as u\n"
        "for _ in range(3): u.urlopen(u.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages',"
        ' b\'{"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}\')).read()'
    )
    with upstream(anthropic()) as up:
        profile(
            clean_machine,
            "work",
            f'[lanes.a]\nprovider = "anthropic"\nauth = "client"\nbase_url = "{up.url}"\n[cache]\nanswers = "off"\n',
        )
        ran = lynkr("run", "-p", "work", "--", sys.executable, "-c", code, home=clean_machine, timeout=60)
    assert ran.status == 0, ran.err
    found = exactly("report", "last", "--json")
    # The scripted provider counts 12 new, 4000 read, 100 written for five minutes and 200 for an hour, 42 out.
    assert [found["totals"][name] for name in ("requests", *COUNTS)] == [3, 36, 12_000, 900, 126]
    listed = exactly("prices", "claude-opus-5-5", "--json")["models"]["claude-opus-5-5"]
    kinds = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
    once = sum(n * Fraction(listed[kind]) for n, kind in zip((12, 4000, 100, 200, 42), kinds, strict=True)) / 1_000_000
    assert close(found["totals"]["cost_usd"], 3 * once)
    assert [close(request["cost_usd"], once) for request in found["requests"]] == [True] * 3
    check_sums(found, [row for row in raw(clean_machine) if row["session"] == found["session"]["id"]])
