"""The page of a period: its sums, day by day, and by lane, model, tool, project and session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from lynkr.report.page import Piece, el, page, percent, section, table
from lynkr.report.page_parts import bars, headline, trust
from lynkr.report.tally import prompt_tokens
from lynkr.report.words import plural, share, tokens, usd

_VIEW_TITLES = {"day": "By day", "lane": "By lane", "model": "By model", "tool": "By tool", "project": "By project",
                "session": "Sessions"}  # fmt: skip
# So many bars; the table has all.
_BARS = 12


def period_page(values: Mapping[str, Any], prices_date: str) -> str:
    """The page of a period."""
    span, totals = values["period"], values["totals"]
    until = f" until {span['until'][:10]}" if span["until"] else ""
    since = f"since {span['since'][:16].replace('T', ' ')} UTC" if span["since"] else "all that the ledger holds"
    title = span["said"][:1].upper() + span["said"][1:]
    sub = f"{plural(values['sessions'], 'session')} · {since}{until}"
    parts: list[Piece] = [el("h1", title), el("p", sub, class_="sub")]
    if not totals["requests"]:
        return page(f"lynkr: {title}", *parts, el("p", "No request came through lynkr."))
    failures = sum(group["failures"] for group in next(iter(values["by"].values()), []))
    parts.append(headline(totals, values["savings"], failures))
    parts += [_view(view, groups) for view, groups in values["by"].items()]
    return page(f"lynkr: {title}", *parts, trust(totals, prices_date))


def _view(view: str, groups: Sequence[Mapping[str, Any]]) -> Element:
    def name(group: Mapping[str, Any]) -> str:
        if view == "session":
            return f"{group['started'][:16].replace('T', ' ')} {group['tool']} {group['session'][-8:]}"
        return group[view] or f"(no {view})"

    rows = [
        [name(group), str(group["totals"]["requests"]), str(group["failures"] or "–"),
         share(group["totals"]["cache_read_tokens"], prompt_tokens(group["totals"])),
         tokens(prompt_tokens(group["totals"])), tokens(group["totals"]["output_tokens"]),
         usd(group["totals"]["cost_usd"]) + ("~" if group["totals"]["estimated_usd"] else ""),
         usd(group["totals"]["saved_usd"])]
        for group in groups
    ]  # fmt: skip
    head = (view, "requests", "failed", "cached", "in", "out", "cost", "saved")
    chart = (
        _days(groups) if view == "day" else bars([(name(group), group["totals"]["cost_usd"]) for group in groups[:12]])
    )
    words = "Days by the local calendar" if view == "day" else "The dearest first" if view != "session" else "In order"
    return section(_VIEW_TITLES[view], chart, table(words, head, rows))


def _days(groups: Sequence[Mapping[str, Any]]) -> Element | None:
    most = max((group["totals"]["cost_usd"] or 0.0 for group in groups), default=0.0)
    if not most or len(groups) < 2:
        return None
    columns = [
        el("span", el("span", class_="out", style=f"height:{percent((group['totals']['cost_usd'] or 0.0) / most)}"),
           title=f"{group['day']}: {usd(group['totals']['cost_usd'])}")
        for group in groups
    ]  # fmt: skip
    ends = (el("span", groups[0]["day"]), el("span", f"{groups[-1]['day']}; the dearest cost {usd(most)}"))
    return el("div", el("div", *columns, class_="columns"), el("div", *ends, class_="ends"), aria_hidden="true")
