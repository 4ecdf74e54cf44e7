"""What `lynkr report` can be asked, and what it says where there is nothing to tell or the question makes no sense."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from report import ledgers, shaped

from lynkr.ledger.store import Ledger
from lynkr.paths import paths

VIEWS = ("session", "day", "lane", "model", "tool", "project")


@pytest.fixture
def three_sessions() -> None:
    ledgers.fill(*(make() for make in shaped.SESSIONS))


@pytest.mark.usefixtures("three_sessions")
@pytest.mark.parametrize(
    "words",
    [
        ("--since", "7x"),
        ("--since", "tomorrow"),
        ("--since", "2026-13-01"),
        ("--since", "0001-01-01"),
        ("--since", "-1d"),
        ("--since", " "),
        pytest.param(("--since", "")),
        pytest.param(("--until", "")),
        ("--until", "soon"),
        ("--since", "2026-11-21", "--until", "2026-11-20"),
        ("--since", "2026-11-21", "--until", "2026-11-21"),
        ("--since", "1d", "--until", "2d"),
        ("last", "--since", "7d"),
        ("0000YGJ4", "--until", "today"),
        ("--json", "--csv"),
        ("--json", "--html", "-"),
        ("--csv", "--html", "-"),
        ("--by", "month"),
        ("--by", "day", "--changes"),
        ("--since", "7d", "--changes"),
        ("--changes", "--csv"),
        ("--changes", "--html", "-"),
        ("--full",),
        ("--figures-only",),
        ("--figures-only", "--json"),
        ("--figures-only", "--since", "7d"),
        ("--html",),
        ("--html", "."),
        ("nosuch",),
        ("nosuch", "--html", "-"),
        ("01",),
        ("0001X148", "--csv"),
        ("0001X148", "--html", "-"),
        ("0001X148", "--by", "lane"),
        ("0001X148", "--changes"),
        ("last", "last"),
        ("--frob",),
    ],
    ids=" ".join,
)
def test_a_question_that_makes_no_sense_gets_one_sentence_and_status_2(words: tuple[str, ...]) -> None:
    told = ledgers.ask("report", *words)
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("lynkr: ")
    assert told.err.count("\n") == 1
    assert len(told.err) > 20


@pytest.mark.parametrize(
    "words", [(), ("last",), ("--since", "7d"), ("--by", "day"), ("--csv",), ("--html", "-"), ("nosuch",)]
)
def test_without_a_ledger_it_says_how_to_start(words: tuple[str, ...]) -> None:
    told = ledgers.ask("report", *words)
    assert (told.status, told.out) == (1, "")
    assert told.err == "lynkr: there is no session yet; start one with lynkr run claude, or see lynkr demo\n"
    assert not paths(os.environ).ledger.exists()


@pytest.mark.parametrize("words", [(), ("last",), ("--json",)])
def test_a_ledger_without_a_session_says_the_same(words: tuple[str, ...]) -> None:
    Ledger(paths(os.environ).ledger).close()
    told = ledgers.ask("report", *words)
    assert (told.status, told.out) == (1, "")
    assert "there is no session yet" in told.err


@pytest.mark.usefixtures("three_sessions")
@pytest.mark.parametrize("words", [(), *(("--by", view) for view in VIEWS)], ids=" ".join)
def test_a_period_without_a_request_says_so_in_every_form(words: tuple[str, ...]) -> None:
    none = ("report", "--since", "2026-01-01", "--until", "2026-02-01", *words)
    assert ledgers.ask(*none).out == "Since 2026-01-01, until 2026-02-01: no request came through lynkr.\n"
    assert "No request came through lynkr" in ledgers.ask(*none, "--html", "-").out
    found = json.loads(ledgers.ask(*none, "--json").out)
    assert (found["sessions"], found["totals"]["requests"], found["totals"]["cost_usd"]) == (0, 0, 0)
    assert not any(found["by"].values())
    assert list(csv.DictReader(io.StringIO(ledgers.ask(*none, "--csv").out))) == []


@pytest.mark.usefixtures("three_sessions")
def test_an_empty_sheet_of_groups_has_the_columns_of_a_full_one() -> None:
    full = ledgers.ask("report", "--by", "lane", "--csv").out.splitlines()[0]
    empty = ledgers.ask("report", "--by", "lane", "--csv", "--since", "2027-01-01").out.splitlines()[0]
    assert empty == full


@pytest.mark.usefixtures("three_sessions")
@pytest.mark.parametrize("session", ["01M7SH7JXJ000000000000YGJ4", "01m7sh7jxj", "0000YGJ4", "ygj4"])
def test_a_session_is_found_by_its_id_its_beginning_and_its_end(session: str) -> None:
    told = ledgers.ask("report", session, "--json")
    assert json.loads(told.out)["session"]["tool"] == "claude"


@pytest.mark.usefixtures("three_sessions")
def test_a_request_is_shown_with_the_one_whose_answer_it_got() -> None:
    found = json.loads(ledgers.ask("report", "0001X14M", "--json").out)
    assert found["request"]["answered"] == f"exact:{found['answer_of']['request']['id']}"
    alone = json.loads(ledgers.ask("report", "0001X149", "--json").out)
    assert alone["answer_of"] is None


@pytest.mark.usefixtures("three_sessions")
def test_one_view_of_one_session_is_of_that_session_alone() -> None:
    found = json.loads(ledgers.ask("report", "last", "--by", "lane", "--json").out)
    assert (found["sessions"], [group["lane"] for group in found["by"]["lane"]]) == (1, ["local"])
    page = ledgers.ask("report", "last", "--by", "lane", "--html", "-").out
    assert "all that the ledger holds" not in page


@pytest.mark.usefixtures("three_sessions")
def test_a_period_says_its_end_as_the_user_said_it() -> None:
    with ledgers.zone(ledgers.TOKYO):
        page = ledgers.ask("report", "--since", "2026-11-01", "--until", "2026-12-01", "--html", "-").out
    assert "until 2026-11-30" not in page.replace("until 2026-11-30 15:00 UTC", "")


@pytest.mark.usefixtures("three_sessions")
def test_a_page_is_written_for_its_owner_alone_and_over_an_older_one(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("older " * 100_000)
    file.chmod(0o644)
    told = ledgers.ask("report", "0000YGJ4", "--html", str(file))
    assert (told.status, told.out, told.err) == (0, "", f"lynkr: written to {file}\n")
    assert file.read_text("utf-8") == ledgers.ask("report", "0000YGJ4", "--html", "-").out
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("three_sessions")
def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    told = ledgers.ask("report", "--html", str(tmp_path / "nosuch" / "page.html"))
    assert (told.status, told.out) == (1, "")
    assert "cannot be written" in told.err
