"""The page of a session: its timeline, where its money and tokens went, and every request and change.

Whatever a chart shows stands in a table as well; charts are hidden from screen readers, which read the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from lynkr.report.changes import Pair, differing
from lynkr.report.page import Piece, el, legend, page, percent, section, stack, table
from lynkr.report.page_parts import bars, headline, trust
from lynkr.report.routing import happened
from lynkr.report.tally import is_failure, prompt_tokens
from lynkr.report.words import duration, milliseconds, plural, share, tokens, usd

# Class of a colour → the tokens it stands for, in the order in which they are stacked.
_KINDS = {
    "read": ("cache_read_tokens", "read from the cache"),
    "write": ("cache_write_tokens", "written to the cache"),
    "new": ("input_tokens", "new input"),
    "out": ("output_tokens", "output"),
}
_LEGEND = {kind: words for kind, (_, words) in _KINDS.items()}
_BAR_REM = 0.8


def session_page(report: Mapping[str, Any], prices_date: str, pairs: Sequence[Pair] | None) -> str:
    """The page of one session; `pairs` are the changes that compression made, None where they are to be left out."""
    session, totals, requests = report["session"], report["totals"], report["requests"]
    title = f"{session['tool']} · {session['started'][:16].replace('T', ' ')} UTC"
    parts: list[Piece] = [
        el("h1", title),
        el("p", f"profile {session['profile']} · {session['project']} · session ", el("code", session["id"]), " · ",
           _end(session), class_="sub"),
    ]  # fmt: skip
    if not requests:
        return page(f"lynkr: {title}", *parts, el("p", "No request came through lynkr in this session."))
    lanes = report["lanes"]
    parts += [headline(totals, report["savings"]), _timeline(requests),
              _cost_by_lane(lanes), _token_section(totals, requests), _cache(requests), _askers(requests)]  # fmt: skip
    parts += [
        _switches(requests),
        _answers(requests),
        _compressed(report["savings"], totals, pairs),
        _changes(requests),
    ]
    parts += [_requests(requests), trust(totals, prices_date)]
    return page(f"lynkr: {title}", *parts)


def _end(session: Mapping[str, Any]) -> str:
    if session["exit_status"] is None or session["seconds"] is None:
        return "still running, or killed"
    return f"{duration(session['seconds'])}, exit status {session['exit_status']}"


def _timeline(requests: Sequence[Mapping[str, Any]]) -> Element:
    """A row for each lane, a bar for each request, from its beginning to its end."""
    begins = [datetime.fromisoformat(request["at"]).timestamp() for request in requests]
    first = min(begins)
    whole = max(begin + request["ms"] / 1000 for begin, request in zip(begins, requests, strict=True)) - first or 1.0
    lanes: dict[str, list[tuple[float, float, Mapping[str, Any]]]] = {}
    for begin, request in zip(begins, requests, strict=True):
        lanes.setdefault(request["lane"] or "no lane", []).append((begin - first, request["ms"] / 1000, request))
    rows = [
        el(
            "div",
            el("span", f"{lane}, {plural(len(held), 'request')}", class_="name"),
            _track(held, whole),
            class_="lane",
        )
        for lane, held in lanes.items()
    ]
    keys = {"out": "served", "fail": "failed or cut", "here": "answered by lynkr itself"}
    return section(
        "Timeline",
        legend(keys),
        el("div", *rows, class_="timeline", aria_hidden="true"),
        el("div", el("span", "start"), el("span", duration(whole)), class_="ends", aria_hidden="true"),
        note="Each bar is a request and leads to its line below; an outlined one changed lanes.",
    )


def _track(held: Sequence[tuple[float, float, Mapping[str, Any]]], whole: float) -> Element:
    """The bars of a lane; those that ran at once stand below each other."""
    free: list[float] = []
    bars = []
    for begin, took, request in held:
        level = next((n for n, end in enumerate(free) if end <= begin), len(free))
        free[level : level + 1] = [begin + took]
        kind = "here" if request["answered"] else "fail" if _failed(request) else None
        if request["switch"] or request["tried"]:
            kind = f"{kind or ''} moved".strip()
        said = f"{request['at'][11:19]} {request['model'] or request['path']}: {_status(request)}, " \
               f"{milliseconds(request['ms'])}, {usd(request['cost_usd'])}"  # fmt: skip
        style = f"left:{percent(begin / whole)};width:{percent(took / whole)};top:{level * _BAR_REM:.1f}rem"
        bars.append(el("a", href=f"#{request['id']}", title=said, style=style, class_=kind, tabindex="-1"))
    return el("div", *bars, class_="track", style=f"height:{max(len(free), 1) * _BAR_REM:.1f}rem")


def _failed(request: Mapping[str, Any]) -> bool:
    return is_failure(request["status"], request["outcome"], request["error"])


def _cost_by_lane(lanes: Sequence[Mapping[str, Any]]) -> Element:
    rows = [
        [lane["lane"], lane["model"] or "–", str(lane["requests"]), str(lane["failures"] or "–"),
         share(lane["cache_read_tokens"], prompt_tokens(lane)), milliseconds(lane["p50_ms"]), usd(lane["cost_usd"])]
        for lane in lanes
    ]  # fmt: skip
    names = [f"{lane['lane']} ({lane['model'] or 'no model'})" for lane in lanes]
    chart = bars([(name, lane["cost_usd"]) for name, lane in zip(names, lanes, strict=True)])
    head = ("lane", "model", "requests", "failed", "cached", "median", "cost")
    return section("Cost by lane", chart, table("Lanes, in the order of their first request", head, rows, 2))


def _token_section(totals: Mapping[str, Any], requests: Sequence[Mapping[str, Any]]) -> Element:
    whole = sum(totals[name] for name, _ in _KINDS.values())
    parts = [(kind, totals[name] / whole if whole else 0.0) for kind, (name, _) in _KINDS.items()]
    rows = [[words, f"{totals[name]:,}", share(totals[name], whole)] for name, words in _KINDS.values()]
    if reasoning := sum(request["reasoning_tokens"] for request in requests):
        rows.append(["of the output, reasoning", f"{reasoning:,}", share(reasoning, whole)])
    caption = "Tokens of all requests, by the provider's own count"
    chart = (stack(parts, aria_hidden="true"), legend(_LEGEND))
    return section("Where tokens went", *chart, table(caption, ("kind", "tokens", "share"), rows))


def _cache(requests: Sequence[Mapping[str, Any]]) -> Element | None:
    """The prompt of every request, and how much of it was cached: where it was not shows as a gap."""
    shown = [request for request in requests if prompt_tokens(request)]
    if len(shown) < 2:
        return None
    most = max(map(prompt_tokens, shown))
    columns = [
        el(
            "span",
            *(
                el("span", class_=kind, style=f"height:{percent(request[name] / most)}")
                for kind, (name, _) in _KINDS.items()
                if kind != "out" and request[name]
            ),
            title=f"{request['at'][11:19]}: {tokens(prompt_tokens(request))} in, "
                  f"{share(request['cache_read_tokens'], prompt_tokens(request))} cached",
        )
        for request in shown
    ]  # fmt: skip
    keys = {kind: words for kind, words in _LEGEND.items() if kind != "out"}
    ends = el("div", el("span", "first request"), el("span", f"last; the largest had {tokens(most)}"), class_="ends")
    hits = sum(1 for request in shown if request["cache_read_tokens"])
    return section(
        "Cache hits",
        legend(keys),
        el("div", *columns, class_="columns", aria_hidden="true"),
        ends,
        note=f"{hits} of {plural(len(shown), 'request')} read from the provider's cache.",
    )


def _askers(requests: Sequence[Mapping[str, Any]]) -> Element | None:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for request in requests:
        found.setdefault(request["who"] or "not told apart", []).append(request)
    if len(found) < 2:
        return None
    rows = [
        [who, str(len(held)), tokens(sum(map(prompt_tokens, held))), tokens(sum(r["output_tokens"] for r in held)),
         usd(sum(r["cost_usd"] or 0.0 for r in held))]
        for who, held in found.items()
    ]  # fmt: skip
    return section(
        "Who asked", table("Requests by what the tool asked for", ("who", "requests", "in", "out", "cost"), rows)
    )


def _switches(requests: Sequence[Mapping[str, Any]]) -> Element | None:
    rows: list[list[Piece]] = [
        [_link(request), line]
        for request in requests
        for line in happened(request)
    ]  # fmt: skip
    if not rows:
        return None
    return section(
        "Switches and fallbacks", table("Requests that changed lanes, and why", ("request", "what happened"), rows, 2)
    )


def _answers(requests: Sequence[Mapping[str, Any]]) -> Element | None:
    """Requests that went to no model, and for those that were answered again, which request's answer they got."""
    here = [request for request in requests if request["answered"]]
    if not here:
        return None
    known = {request["id"] for request in requests}
    rows: list[list[Piece]] = []
    for request in here:
        way, _, of = request["answered"].partition(":")
        source: Piece = el("code", of) if way != "bypass" else of
        if of in known:
            source = el("a", el("code", of), href=f"#{of}")
        saved = (request["baseline_usd"] or 0.0) - (request["cost_usd"] or 0.0)
        rows.append(
            [_link(request), "without a model" if way == "bypass" else f"given again ({way})", source, usd(saved)]
        )
    return section(
        "Answered by lynkr",
        table("Requests that went to no model", ("request", "how", "what, or whose answer", "saved"), rows, 3),
    )


def _compressed(savings: Mapping[str, Any], totals: Mapping[str, Any], pairs: Sequence[Pair] | None) -> Element | None:
    if not savings["kinds"] and not savings["faults"] and not pairs:
        return None
    removed, prompt = savings["tokens_removed"], prompt_tokens(totals)
    rows = [[kind["kind"], f"{kind['tokens_removed']:,}", usd(kind["saved_usd"])] for kind in savings["kinds"]]
    note = f"About {tokens(removed)} tokens were not sent ({share(removed, removed + prompt)} of what would have been)."
    if savings["faults"]:
        note += f" {plural(savings['faults'], 'result')} left alone, because a compressor failed."
    parts: list[Piece] = [table("What compression left out", ("kind", "tokens", "saved"), rows) if rows else None]
    if pairs is None:
        parts.append(el("p", "The changes themselves were left out of this page.", class_="note"))
    elif pairs:
        parts.append(el("p", "Every change, before and after. This part holds text of your project.", class_="note"))
        parts += [_change(number, pair) for number, pair in enumerate(pairs, 1)]
    elif removed:
        parts.append(el("p", "The changes themselves are not kept any more.", class_="note"))
    return section("Compressed", *parts, note=note)


def _change(number: int, pair: Pair) -> Element:
    size = f"{len(pair.before):,} → {len(pair.after):,}" if pair.before is not None else f"→ {len(pair.after):,}"
    kinds = ", ".join(kind for kind, _ in pair.cuts)
    summary = el("summary", f"{number}. {pair.label}: {size} characters ({kinds})")
    if pair.before is None:
        return el("details", summary, el("p", "The original is not kept any more.", class_="note"))
    lines = [
        el("span", f"{sign} {line}\n", class_="gone" if sign == "-" else "made")
        for sign, line in differing(pair.before, pair.after)
    ]
    return el("details", summary, el("pre", *lines, tabindex="0"),
              el("p", "All of it: ", el("code", f"lynkr expand {pair.id}"), class_="note"))  # fmt: skip


def _changes(requests: Sequence[Mapping[str, Any]]) -> Element | None:
    found: dict[tuple[str, str], int] = {}
    for request in requests:
        for change in request["changes"]:
            key = (change["what"], f"{change['did']}: {change['why']}")
            found[key] = found.get(key, 0) + 1
    rows = [[what, how, str(count)] for (what, how), count in found.items()]
    if not rows:
        return None
    return section("Changed on the way", table("What a lane of another format or model could not take as it was",
                                               ("what", "how", "requests"), rows, 2))  # fmt: skip


def _link(request: Mapping[str, Any]) -> Element:
    return el("a", request["at"][11:19], href=f"#{request['id']}")


def _status(request: Mapping[str, Any]) -> str:
    if request["outcome"] == "gone":
        return "hung up"
    return f"{request['status']} cut" if request["outcome"] == "cut" else str(request["status"])


def _requests(requests: Sequence[Mapping[str, Any]]) -> Element:
    head = ("time", "who", "tier", "lane", "model", "status",
            "in", "cached", "out", "not sent", "took", "cost", "saved")  # fmt: skip
    caption = "Every request; times in UTC, ~ is estimated"
    return section(
        "Requests", table(caption, head, [_request(r) for r in requests], 6, [request["id"] for request in requests])
    )


def _request(request: Mapping[str, Any]) -> list[Piece]:
    prompt = prompt_tokens(request)
    saved = None
    if request["cost_usd"] is not None and request["baseline_usd"] is not None:
        saved = request["baseline_usd"] - request["cost_usd"]
    return [
        el("span", request["at"][11:19], title=request["why"]),
        request["who"] or "–",
        request["tier"] or "–",
        request["lane"] or "–",
        request["model"] or request["path"],
        el(
            "span",
            _status(request),
            class_="bad" if _failed(request) else None,
        ),
        tokens(prompt),
        share(request["cache_read_tokens"], prompt),
        tokens(request["output_tokens"]),
        tokens(request["removed_tokens"]) if request["removed_tokens"] else "–",
        milliseconds(request["ms"]),
        usd(request["cost_usd"]) + ("~" if request["estimated"] else ""),
        usd(saved) if saved else "–",
    ]
