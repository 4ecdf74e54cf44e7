"""The pages of sessions and periods in a real Chromium: nothing is loaded, nothing sticks out, all can read them.

axe-core (https://github.com/dequelabs/axe-core) looks for what keeps people out; the tests run it, the page does not.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import TOOLS
from report import ledgers, shaped
from report.browser import Browser, Tab, chromium
from report.test_strangers import ODD, Structure, rows_of, session_of

from lynkr.kept import Kept, Made
from lynkr.ledger.row import Row, Session
from lynkr.paths import paths
from lynkr.usage import Usage

pytestmark = pytest.mark.real

AXE = TOOLS / "node_modules" / "axe-core" / "axe.min.js"
EVER = ("--since", "2026-01-01", "--until", "2026-11-30")
PAGES: dict[str, tuple[str, ...]] = {
    "session": ("0000YGJ4",),
    "session of another format": ("0001X147",),
    "session without a price": ("0002VHPA",),
    "period": EVER,
    "period without a request": ("--since", "2025-01-01", "--until", "2025-01-02"),
    "view": ("--by", "lane"),
    "session of strangers": ("01WILD",),
    "period with strangers": ("--since", "2026-12-01"),
}
WIDTHS = (360, 1280)
# So many requests are an afternoon's work.
MANY = 700


def stamp(at: datetime) -> str:
    """A moment as rows have it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def strangers() -> tuple[Session, list[Row]]:
    """A session with a request of every sort under every odd name; few with tokens, for a page has no room for more."""
    rows = [row if n == 0 else replace(row, usage=Usage()) for name in ODD for n, row in enumerate(rows_of(name))]
    at = datetime.fromisoformat("2026-12-01T10:00:00+00:00")
    times = [stamp(at + timedelta(seconds=7 * n)) for n in range(len(rows))]
    session = replace(session_of(ODD[1] + "x" * 200), id="01WILD00000000000000000000", started=times[0])
    return session, [
        replace(row, id=f"01W{n:023d}", at=time) for n, (row, time) in enumerate(zip(rows, times, strict=True))
    ]


def long() -> tuple[Session, list[Row]]:
    """A session of many requests, some at once."""
    session = Session("01MANY00000000000000000000", "claude", "work", "/p", "2025-06-01T08:00:00.000Z", 9000.0, 0)
    usage = Usage(input=10, cache_read=40_000, cache_write=900, output=300)
    begin = datetime.fromisoformat("2025-06-01T08:00:00+00:00")
    return session, [
        Row(f"01M{n:023d}", stamp(begin + timedelta(seconds=3 * n)), lane="claude",
            model="claude-opus-5-5", status=200, usage=usage, cost_usd=0.02, baseline_usd=0.02, ms=5000.0, who="main")
        for n in range(MANY)
    ]  # fmt: skip


def changed() -> None:
    """Keeps what compression changed in the first session, so that its page can show it."""
    kept = Kept(paths(os.environ).kept)
    before = "".join(f"tests/test_{n}.py::test_it PASSED {'<b>' * n}\n" for n in range(40))
    kept.put("ab12", before)
    kept.note(
        "01M7SH7JXJ000000000000YGJ4", Made("01R", "ab12", "pytest -q <all> & more", (("pytest", 900),), "40 passed\n")
    )


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Tab:
    return browser.tab()


@pytest.fixture(autouse=True)
def sessions() -> Iterator[None]:
    ledgers.fill(*(make() for make in (*shaped.SESSIONS, strangers)))
    changed()
    with ledgers.zone(ledgers.UTC):
        yield


def written(folder: Path, *words: str) -> Path:
    file = folder / "page.html"
    told = ledgers.ask("report", *words, "--html", str(file))
    assert told.status == 0, told.err
    return file


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_and_nothing_complained_of(tab: Tab, tmp_path: Path, name: str) -> None:
    file = written(tmp_path, *PAGES[name])
    tab.look()
    tab.open(file)
    tab.tell("new Promise(done => setTimeout(done, 100))")
    assert [sent["request"]["url"] for sent in tab.happened("Network.requestWillBeSent")] == [file.as_uri()]
    assert tab.happened("Log.entryAdded") == []
    assert tab.happened("Runtime.consoleAPICalled") == []
    assert tab.happened("Runtime.exceptionThrown") == []
    assert tab.tell("document.compatMode") == "CSS1Compat"
    assert (
        tab.tell("document.querySelectorAll('script, link, img, iframe, object, embed, form, svg, base').length") == 0
    )


def test_the_browser_reads_the_page_as_it_was_written(tab: Tab, tmp_path: Path) -> None:
    file = written(tmp_path, *PAGES["session of strangers"])
    tab.open(file)
    written_tags = sorted(element[0] for element in Structure(file.read_text("utf-8")).elements if element[0][0] != "/")
    read_tags = tab.tell("[...document.querySelectorAll('*')].map(element => element.localName)")
    assert sorted(read_tags) == written_tags


def test_the_page_forbids_what_it_does_not_need(tab: Tab, tmp_path: Path) -> None:
    tab.open(written(tmp_path, *PAGES["session"]))
    refused = """new Promise(done => {
        const seen = [];
        document.addEventListener("securitypolicyviolation", event => {
            seen.push(event.effectiveDirective);
            if (seen.length == 3) done(seen.sort());
        });
        setTimeout(() => done(seen), 5000);
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
        new Image().src = "http://127.0.0.1:9/p.png";
        fetch("http://127.0.0.1:9/x").catch(() => 0);
    })"""
    assert tab.tell(refused) == ["connect-src", "img-src", "script-src-elem"]
    assert tab.tell("window.ran") is None


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_of_the_window(tab: Tab, tmp_path: Path, name: str, width: int) -> None:
    tab.look(width=width)
    tab.open(written(tmp_path, *PAGES[name]))
    check_width(tab, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_of_the_page_of_a_long_session(tab: Tab, tmp_path: Path, width: int) -> None:
    ledgers.fill(long())
    tab.look(width=width)
    tab.open(written(tmp_path, "01MANY"))
    check_width(tab, width)


def check_width(tab: Tab, width: int) -> None:
    assert tab.tell("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)") <= width
    # What scrolls by itself may hold what is wider, and nothing else.
    outside = f"""[...document.querySelectorAll('body *')].filter(element =>
        element.getBoundingClientRect().right > {width} + 0.5 && !element.closest('.wide, pre')
    ).map(element => element.outerHTML.slice(0, 200))"""
    assert tab.tell(outside) == []
    words = "[...document.querySelectorAll('dd, dt, h1, h2, p, li, summary')]"
    assert tab.tell(f"{words}.filter(element => element.scrollWidth > element.clientWidth + 1).length") == 0


@pytest.mark.parametrize("name", ["session", "period"])
def test_light_and_dark_are_two_looks_and_paper_is_white(tab: Tab, tmp_path: Path, name: str) -> None:
    tab.open(written(tmp_path, *PAGES[name]))
    colours = "(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))"
    found = {}
    for scheme in ("light", "dark"):
        tab.look(scheme=scheme)
        found[scheme] = tab.tell(colours)
    assert brightness(found["light"][0]) > 0.9 > 0.3 > brightness(found["light"][1])
    assert brightness(found["dark"][0]) < 0.2 < 0.8 < brightness(found["dark"][1])
    tab.look(scheme="dark", media="print")
    assert tab.tell(colours) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]


def brightness(colour: str) -> float:
    """From 0, black, to 1, white."""
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / (3 * 255)


@pytest.mark.parametrize("name", PAGES)
def test_it_can_be_printed(tab: Tab, tmp_path: Path, name: str) -> None:
    tab.look()
    tab.open(written(tmp_path, *PAGES[name]))
    printed = tab.pdf()
    assert printed.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) < 80


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["session", "session of another format", "period", "session of strangers"])
def test_axe_finds_nothing_serious(tab: Tab, tmp_path: Path, name: str, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip(f"axe-core is not installed (tests/setup installs it from npm under {TOOLS})")
    tab.look(scheme=scheme)
    tab.open(written(tmp_path, *PAGES[name]))
    tab.tell("document.querySelectorAll('details').forEach(element => element.open = true)")
    tab.tell(f"{AXE.read_text('utf-8')}; true")
    bad = "found.violations.map(v => [v.impact, v.id, v.nodes.map(node => node.html.slice(0, 160))])"
    found = tab.tell(f"axe.run(document).then(found => ({{bad: {bad}, passed: found.passes.map(rule => rule.id)}}))")
    assert "color-contrast" in found["passed"]
    assert [bad for bad in found["bad"] if bad[0] in ("serious", "critical")] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere_in_the_page(tab: Tab, tmp_path: Path, name: str) -> None:
    tab.open(written(tmp_path, *PAGES[name]))
    assert (
        tab.tell("[...document.links].filter(a => !document.getElementById(a.getAttribute('href').slice(1))).length")
        == 0
    )
    ids = tab.tell("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))


def test_a_bar_of_the_timeline_leads_to_its_request(tab: Tab, tmp_path: Path) -> None:
    tab.look()
    tab.open(written(tmp_path, *PAGES["session"]))
    bars = tab.tell("document.querySelectorAll('.track a').length")
    assert bars == tab.tell("document.querySelectorAll('tr[id]').length") == 28
    tab.tell("document.querySelectorAll('.track a')[27].click()")
    top = tab.tell("document.querySelector('tr:target').getBoundingClientRect().top")
    assert 0 <= top < 800


@pytest.mark.parametrize("width", WIDTHS)
def test_bars_and_columns_are_as_long_as_the_money_says(tab: Tab, tmp_path: Path, width: int) -> None:
    tab.look(width=width)
    tab.open(written(tmp_path, *EVER))
    by = json.loads(ledgers.ask("report", *EVER, "--json").out)["by"]
    sizes = """[...document.querySelectorAll('section')].find(part => part.querySelector('h2').textContent == %r)"""
    for view in ("lane", "model", "tool", "project"):
        costs = [group["totals"]["cost_usd"] or 0.0 for group in by[view]]
        find = f"{sizes % f'By {view}'}.querySelectorAll('.stack')"
        widths = tab.tell(
            f"[...{find}].map(bar => (bar.firstChild?.getBoundingClientRect().width ?? 0) / bar.clientWidth)"
        )
        # What is more than nothing is a pixel.
        assert widths == pytest.approx([cost / max(costs) for cost in costs], abs=0.03)
    costs = [group["totals"]["cost_usd"] or 0.0 for group in by["day"]]
    find = f"{sizes % 'By day'}.querySelectorAll('.columns > span')"
    heights = tab.tell(
        f"[...{find}].map(column => column.firstChild.getBoundingClientRect().height / column.clientHeight)"
    )
    assert heights == pytest.approx([cost / max(costs) for cost in costs], abs=0.02)


@pytest.mark.parametrize("name", ["session of another format", "period"])
def test_what_is_said_of_the_last_column_stands_below_it(tab: Tab, tmp_path: Path, name: str) -> None:
    tab.look()
    tab.open(written(tmp_path, *PAGES[name]))
    ends = "(bars => [bars.lastChild, bars.nextSibling.lastChild].map(e => e.getBoundingClientRect().right))"
    column, words = tab.tell(f"{ends}(document.querySelector('.columns'))")
    assert words - column < 100
