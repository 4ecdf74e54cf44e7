"""Names come from files, clients and providers: none of them becomes markup, a formula or a broken line in a report.

The same rows are told twice, once with a tame name and once with a stranger's, and all but the name must be the same.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report import ledgers

from lynkr.changes import Change, Saving, Switch
from lynkr.ledger.row import Row, Session, Try
from lynkr.report import sheet
from lynkr.report.changes import Pair
from lynkr.report.overview import period_report
from lynkr.report.period import VIEWS, Span, period
from lynkr.report.period_page import period_page
from lynkr.report.session_page import session_page
from lynkr.report.terminal import session_report
from lynkr.report.values import report
from lynkr.usage import Usage

some = settings(max_examples=80, deadline=None)

MARKUP = (
    "<script>alert(1)</script>", '"><img src=http://x.example/p onerror=alert(1)>', "' onmouseover='alert(1)",
    "</style><script>1</script>", "</title></head><body>", "<!-- ", "-->", "]]>", "<![CDATA[", "&lt;b&gt;", "&amp",
    "&#60;b>", "<base href=//x.example>", '<meta http-equiv=refresh content="0;url=//x.example">', "{{7*7}}",
    "<svg/onload=alert(1)>", "javascript:alert(1)", "</pre></details>",
)  # fmt: skip
CONTROLS = (
    "\x00",
    "\x1b[2J\x1b[31mred",
    "a\x07b",
    "\x7f",
    "\x9b31m",
    "a\rb",
    "tab\there",
    "\u2028",
    "\u202eevil",
    "\ufffe",
    "\ufeff",
)
SURROGATES = ("\ud800", "a\udfffb", "\udc80\udcff")
LONG = ("x" * 300, "/very/long/path" * 20, "<" * 90, "word " * 60)
ODD = (*MARKUP, *CONTROLS, *SURROGATES, *LONG)
NAMES = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(codec=None), min_size=1, max_size=40),
    st.text("<>&\"'/=!-\x00\ud800a ", min_size=1, max_size=12),
)
TAGS = re.compile(
    "/?(html|head|meta|title|style|body|main|h1|h2|p|code|section|dl|div|dt|dd|small|span|a|ul|li|table|caption|thead"
    "|tbody|tr|th|td|details|summary|pre)"
)
ATTRIBUTES = re.compile(
    "lang|charset|http-equiv|content|name|class|style|href|title|id|scope|tabindex|role|aria-label|aria-hidden"
)


def session_of(name: str, at: str = "S1") -> Session:
    return Session(at, name, name, name, "2026-11-21T10:00:00.000Z", 12.0, 0)


def rows_of(name: str) -> list[Row]:
    """A request of every sort, all of whose names are this one."""
    usage, saving = Usage(100, 2000, 300, 40, 50, 6), (Saving(name, 12, 0.001),)
    known: dict[str, Any] = {
        "method": "POST", "path": name, "tier": name, "why": name, "lane": name, "provider": name, "model": name,
        "asked_model": name, "status": 200, "usage": usage, "cost_usd": 0.5, "baseline_usd": 0.75, "ms": 1500.0,
        "who": name, "conversation": name, "first_byte_ms": 1.0,
    }  # fmt: skip
    whats = [
        {"savings": saving, "removed_tokens": 12, "compression_usd": 0.001, "faults": 1},
        {"tried": (Try(name, 529, name),), "switch": Switch("trouble", name, name, name, name, name, 9, 0.1, 0.2, 3)},
        {"changes": (Change(name, "dropped", name), Change(name, "changed", name)), "error": name, "outcome": "cut"},
        {"answered": f"bypass:{name}"},
        {"answered": "exact:R00000000000000000000000000"},
        {
            "lane": None,
            "model": None,
            "who": None,
            "tier": None,
            "outcome": "refused",
            "cost_usd": None,
            "baseline_usd": None,
        },
    ]
    return [
        Row(f"R{number:026d}", f"2026-11-21T10:00:0{number}.000Z", **{**known, **what})
        for number, what in enumerate(whats)
    ]


def pairs_of(name: str) -> list[Pair]:
    """What compression changed: with its original, and without."""
    other = f"{name}\nsame\n{name}"
    return [Pair("R0", "abc", name, ((name, 3),), other, f"same\nnew {name}"), Pair("R0", "abd", name, (), None, name)]


def of_session(name: str) -> str:
    return session_page(report(session_of(name), rows_of(name)), "2026-11-21", pairs_of(name))


def of_period(name: str) -> str:
    both = [(session_of(name), row) for row in rows_of(name)] + [
        (session_of("tame", "S2"), row) for row in rows_of("tame")
    ]
    return period_page(period(Span(), both), "2026-11-21")


class Structure(HTMLParser):
    """A page's elements with the names of their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.values: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.values += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment",))

    def unknown_decl(self, data: str) -> None:
        self.elements.append(("declaration",))


# What turns the direction of what stands behind it.
TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def shown(name: str) -> str:
    """A name as a page can hold it."""
    kept = (
        letter in "\t\n\r" or (unicodedata.category(letter) not in ("Cc", "Cs") and letter not in TURNING)
        for letter in name
    )
    return "".join(
        letter if keep and letter not in "\ufffe\uffff" else "\ufffd" for letter, keep in zip(name, kept, strict=True)
    )


# --- pages ------------------------------------------------------------------------------------------------------------


@some
@given(NAMES)
def test_no_name_changes_the_shape_of_a_sessions_page(name: str) -> None:
    # As many lines before and after as the tame one has, or the list of changes is another.
    name = name.replace("\n", " ")
    assert Structure(of_session(name)).elements == Structure(of_session("tame")).elements


@some
@given(NAMES)
@example("tame")
def test_no_name_changes_the_shape_of_a_periods_page(name: str) -> None:
    # A name of its own each: where both are one, there is a group less.
    assert Structure(of_period(f"{name}.")).elements == Structure(of_period("other")).elements


@some
@given(NAMES)
def test_a_name_stands_in_the_page_as_it_is(name: str) -> None:
    found = Structure(of_session(name))
    assert shown(name).replace("\r", "\n") in "".join(found.texts).replace("\r", "\n")


@some
@given(NAMES)
def test_a_page_loads_and_runs_nothing(name: str) -> None:
    for page in (of_session(name), of_period(name)):
        found = Structure(page)
        assert all(TAGS.fullmatch(element[0]) for element in found.elements)
        assert all(ATTRIBUTES.fullmatch(name) for element in found.elements for name in element[1:])
        assert all(value.startswith("#") for attribute, value in found.values if attribute == "href")
        styles = [value for attribute, value in found.values if attribute == "style"]
        assert all(set(value) <= set("abcdefghijklmnopqrstuvwxyz:;%.0123456789") for value in styles)


@some
@given(NAMES)
def test_a_page_is_utf_8_without_letters_that_html_has_no_place_for(name: str) -> None:
    for page in (of_session(name), of_period(name)):
        page.encode("utf-8")
        assert not {letter for letter in page if unicodedata.category(letter) in ("Cc", "Cs")} - set("\t\n\r")


def test_a_page_without_changes_holds_none_of_their_text() -> None:
    page = session_page(report(session_of("tame"), rows_of("tame")), "2026-11-21", None)
    assert "new secret" in session_page(report(session_of("tame"), rows_of("tame")), "2026-11-21", pairs_of("secret"))
    assert "secret" not in page
    assert "left out of this page" in page


# --- terminals --------------------------------------------------------------------------------------------------------


@some
@example("python -m my_company.agents.refactor --all")
@given(NAMES)
def test_no_name_makes_a_line_of_a_sessions_report_wider_than_80_columns(name: str) -> None:
    assert max(map(len, session_report(report(session_of(name), rows_of(name)), "2026-11-21"))) <= 80


@some
@example("us.anthropic.claude-sonnet-4-5-20250929-v1:0", ("model",))
@given(NAMES, st.sampled_from([tuple(VIEWS), *((view,) for view in VIEWS)]))
def test_no_name_makes_a_line_of_a_periods_report_wider_than_80_columns(name: str, views: tuple[str, ...]) -> None:
    values = period(Span(), [(session_of(name), row) for row in rows_of(name)], views)
    assert max(map(len, period_report(values, "2026-11-21"))) <= 80


@pytest.mark.parametrize(
    "words",
    [("last",), ("--by", "session"), ("--since", "2026-01-01"), ("R00000000000000000000000001", "--json"), ("--csv",)],
)
@pytest.mark.parametrize("name", ODD)
def test_nothing_that_a_terminal_obeys_gets_through(name: str, words: tuple[str, ...]) -> None:
    ledgers.fill((session_of(name), rows_of(name)))
    told = ledgers.ask("report", *words)
    assert told.status == 0
    assert not [letter for letter in told.out if unicodedata.category(letter) == "Cc" and letter not in "\n\t"]


# --- sheets -----------------------------------------------------------------------------------------------------------

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", '=HYPERLINK("http://x.example","here")', "=cmd|' /C calc'!A0")


def cells(lines: Iterator[str]) -> list[str]:
    return [cell for line in csv.reader(io.StringIO("\n".join(lines), newline="")) for cell in line]


@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_of_a_sheet_is_a_formula(name: str) -> None:
    found = cells(sheet.of_requests((session_of(name), row) for row in rows_of(name)))
    for view in VIEWS:
        found += cells(
            sheet.of_groups(view, period(Span(), [(session_of(name), row) for row in rows_of(name)])["by"][view])
        )
    assert f"'{name}" in found
    assert not [cell for cell in found if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_loss_is_a_figure_and_not_marked_as_text() -> None:
    row = Row("R0", "2026-11-21T10:00:00.000Z", cost_usd=0.75, baseline_usd=0.5)
    [line] = csv.DictReader(
        io.StringIO("\n".join(sheet.of_groups("day", period(Span(), [(session_of("x"), row)])["by"]["day"])))
    )
    assert line["saved_usd"] == line["routing_usd"] == "-0.25"


@some
@given(st.one_of(NAMES, st.text(",\"';=\t a", min_size=1, max_size=9)))
def test_a_name_in_a_sheet_reads_back_as_it_is(name: str) -> None:
    check_sheet(name.replace("\n", " ").replace("\r", " "))


@pytest.mark.parametrize("name", ["two\nlines", "/srv/a\r\nb", "\n", "x\n=1+1", "\r=1+1"])
def test_a_name_of_several_lines_is_still_one_cell(name: str) -> None:
    check_sheet(name)


def check_sheet(name: str) -> None:
    text = "\n".join(sheet.of_requests((session_of(name), row) for row in rows_of(name)))
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(read) == len(rows_of(name))
    assert {line["tool"].removeprefix("'") for line in read} == {name.removeprefix("'")}
    assert [float(line["ms"]) for line in read] == [1500.0] * len(read)
