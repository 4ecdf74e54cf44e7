"""A period as text for a terminal of 80 columns: what it cost, day by day, and by lane, model, tool and project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lynkr.report.table import WIDTH, Paint, short, table, unpainted
from lynkr.report.tally import prompt_tokens
from lynkr.report.terminal import cost_words, saved_words
from lynkr.report.words import plural, priced_at, share, tokens, usd

_BAR, _LEAST = 24, 4
_SHOWN = 8
_DAYS = 31
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def period_report(values: Mapping[str, Any], prices_date: str, paint: Paint = unpainted) -> list[str]:
    """All of it; where only one view was asked for, that one whole."""
    said, totals = values["period"]["said"], values["totals"]
    views = values["by"]
    count = plural(values["sessions"], "session")
    lines = [f"{paint(said[:1].upper() + said[1:], 'bold')} · {plural(totals['requests'], 'request')} in {count}", ""]
    if not totals["requests"]:
        return [lines[0].partition(" · ")[0] + ": no request came through lynkr."]
    prompt = prompt_tokens(totals)
    rows = [("Cost", cost_words(totals))]
    if totals["saved_usd"]:
        words = saved_words(totals["saved_usd"], values["savings"])
        rows += [
            ("Baseline", f"{usd(totals['baseline_usd'])}, what it would have cost without lynkr"),
            *(("" if n else "Saved", said) for n, said in enumerate(words)),
        ]
    rows.append(("Cache", f"{share(totals['cache_read_tokens'], prompt)} of {tokens(prompt)} input tokens"))
    lines += [f"{paint(f'{name:<10}', 'dim')}{text}" for name, text in rows]
    for view, groups in views.items():
        if len(views) > 1 and view == "session":
            continue  # lynkr sessions lists them
        lines += ["", *view_table(view, groups, paint, whole=len(views) == 1)]
    notes = [priced_at(prices_date)]
    return [*lines, "", *(paint(note, "dim") for note in notes)]


def view_table(
    view: str, groups: Sequence[Mapping[str, Any]], paint: Paint, *, whole: bool = False, money_only: bool = False
) -> list[str]:
    """A view's groups with bars of their cost; `whole` is all of them, `money_only` leaves out what was saved."""
    shown = groups if whole else groups[-_DAYS:] if view == "day" else groups[:_SHOWN]
    most = max((group["totals"]["cost_usd"] or 0.0 for group in groups), default=0.0)
    rows = [
        [
            _name(view, group),
            str(group["totals"]["requests"]),
            share(group["totals"]["cache_read_tokens"], prompt_tokens(group["totals"])),
            tokens(prompt_tokens(group["totals"]) + group["totals"]["output_tokens"]),
            usd(group["totals"]["cost_usd"]) + ("~" if group["totals"]["estimated_usd"] else ""),
            usd(group["totals"]["saved_usd"]),
        ]
        for group in shown
    ]
    parts = [(group["totals"]["cost_usd"] or 0.0) / most if most else 0.0 for group in shown]
    first = "day (local)" if view == "day" else view
    names: tuple[str, ...] = (first, "requests", "cached", "tokens", "cost", "saved")
    if money_only:
        names, rows = names[:-1], [row[:-1] for row in rows]
    head, *body = table(names, rows, 1, paint, (0,))
    width = max(map(len, body))
    room = min(WIDTH - width - 2, _BAR)
    bars = [bar(part, room) if room >= _LEAST else "" for part in parts]
    lines = [head, *(f"{line:<{width}}  {mark}".rstrip() for line, mark in zip(body, bars, strict=True))]
    title = f"By {view}"
    hidden = len(groups) - len(shown)
    more = f", {len(shown)} of {len(groups)}: all with --by {view}" if hidden else ""
    return [paint(title, "bold") + paint(more, "dim"), *lines]


def _name(view: str, group: Mapping[str, Any]) -> str:
    key = group[view]
    if view == "session":
        return f"{key[-8:]} {group['tool']}"
    if view == "project" and key and len(key) > 30:
        return "…" + short(key, len(key))[-29:]  # the end tells projects apart
    return short(key or f"(no {view})", 36)


def bar(part: float, width: int) -> str:
    """A bar of `part` (0 to 1) of `width` columns, in eighths; what is more than nothing shows."""
    eighths = max(round(part * width * 8), 1 if part > 0 else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
