"""The page of a period: its sums, day by day, and by lane, model, tool, project and session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
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
    ends = [f"{word} {span[word][:16].replace('T', ' ')} UTC" for word in ("since", "until") if span[word]]
    title = span["said"][:1].upper() + span["said"][1:]
    sub = " · ".join([plural(values["sessions"], "session"), *ends])
    parts: list[Piece] = [el("h1", title), el("p", sub, class_="sub")]
    if not totals["requests"]:
        return page(f"lynkr: {title}", *parts, el("p", "No request came through lynkr."))
    parts.append(headline(totals, values["savings"]))
    parts += [_view(view, groups) for view, groups in values["by"].items()]
    return page(f"lynkr: {title}", *parts, trust(totals, prices_date))


def _view(view: str, groups: Sequence[Mapping[str, Any]]) -> Element:
    def name(group: Mapping[str, Any]) -> str:
        if view == "session":
            return f"{group['started'][:16].replace('T', ' ')} {group['tool']} {group['session'][-8:]}"
        return group[view] or f"(no {view})"

    rows = [
        [name(group), str(group["totals"]["requests"]), str(group["totals"]["failures"] or "–"),
         share(group["totals"]["cache_read_tokens"], prompt_tokens(group["totals"])),
         tokens(prompt_tokens(group["totals"])), tokens(group["totals"]["output_tokens"]),
         usd(group["totals"]["cost_usd"]) + ("~" if group["totals"]["estimated_usd"] else ""),
         usd(group["totals"]["saved_usd"])]
        for group in groups
    ]  # fmt: skip
    head = (view, "requests", "failed", "cached", "in", "out", "cost", "saved")
    chart = _days(groups) if view == "day" else None
    if view not in ("day", "session"):
        chart = bars([(name(group), group["totals"]["cost_usd"]) for group in groups[:_BARS]])
    words = "Days by the local calendar" if view == "day" else "The dearest first" if view != "session" else "In order"
    note = f"The chart shows the {_BARS} dearest, the table all." if chart is not None and len(groups) > _BARS else None
    return section(_VIEW_TITLES[view], chart, table(words, head, rows), note=note if view != "day" else None)


def _days(groups: Sequence[Mapping[str, Any]]) -> Element | None:
    most = max((group["totals"]["cost_usd"] or 0.0 for group in groups), default=0.0)
    if not most or len(groups) < 2:
        return None
    known = {group["day"]: group["totals"]["cost_usd"] for group in groups}
    first, last = date.fromisoformat(groups[0]["day"]), date.fromisoformat(groups[-1]["day"])
    columns = []
    for number in range((last - first).days + 1):
        day = (first + timedelta(days=number)).isoformat()
        height = percent((known.get(day) or 0.0) / most)
        column = el("span", class_="out", style=f"height:{height}")
        columns.append(el("span", column, title=f"{day}: {usd(known.get(day, 0.0))}"))
    ends = (el("span", groups[0]["day"]), el("span", f"{groups[-1]['day']}; the dearest cost {usd(most)}"))
    return el("div", el("div", *columns, class_="columns"), el("div", *ends, class_="ends"), aria_hidden="true")
