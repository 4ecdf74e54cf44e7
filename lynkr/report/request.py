"""One request in full, for a terminal; and of one that lynkr answered itself, the request whose answer it was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lynkr.report.routing import happened
from lynkr.report.table import Paint, short, table, unpainted
from lynkr.report.tally import prompt_tokens
from lynkr.report.words import milliseconds, share, tokens, usd


def source_of(answered: str | None) -> str | None:
    """The id of the request whose answer was given again; None where none was."""
    way, _, of = (answered or "").partition(":")
    return of if way in ("exact", "semantic") and of else None


def request_report(found: Mapping[str, Any], source: Mapping[str, Any] | None, paint: Paint = unpainted) -> list[str]:
    """All that is known of a request; `source` is the one whose answer it got, where it is still in the ledger."""
    request = found["request"]
    lines = [*_lines(request, found["session"], paint)]
    of = source_of(request["answered"])
    if of is None:
        return lines
    if source is None:
        return [*lines, "", f"The request that was answered first, {of}, is not in the ledger any more."]
    return [*lines, "", paint("It got the answer that was given to", "bold"),
            *_lines(source["request"], source["session"], paint)]  # fmt: skip


def _lines(request: Mapping[str, Any], session: Mapping[str, Any], paint: Paint) -> list[str]:
    prompt = prompt_tokens(request)
    took = milliseconds(request["ms"])
    first = f", first byte after {milliseconds(request['first_byte_ms'])}" if request["first_byte_ms"] else ""
    money = usd(request["cost_usd"]) + ("~" if request["estimated"] else "")
    rows = [
        ("Request", f"{request['id']} · {request['at']}"),
        ("Session", f"{session['id']} · {session['tool']} · profile {session['profile']}"),
        ("Asked by", f"{request['who'] or 'not told apart'}, conversation {(request['conversation'] or '–')[:8]}"),
        ("Tier", f"{request['tier'] or '–'}: {request['why'] or '–'}"),
        ("Lane", f"{request['lane'] or '–'} · {request['model'] or '–'} (asked for: {request['asked_model'] or '–'})"),
        ("Answer", f"{request['status'] or 'none'}, {request['outcome']}; took {took}{first}"),
        ("Tokens", f"{tokens(prompt)} in ({share(request['cache_read_tokens'], prompt)} cached), "
                   f"{tokens(request['output_tokens'])} out, {tokens(request['removed_tokens'])} not sent"),
        ("Cost", f"{money}, without lynkr {usd(request['baseline_usd'])}"),
        *([("Answered", request["answered"])] if request["answered"] else []),
        *([("Error", request["error"])] if request["error"] else []),
        *(("", line) for line in happened(request)),
    ]  # fmt: skip
    return [f"{paint(f'{name:<10}', 'dim')}{short(text, 400)}" for name, text in rows]


def answered_lines(requests: Sequence[Mapping[str, Any]], paint: Paint) -> list[str]:
    """The part of a report about requests that went to no model."""
    here = [request for request in requests if request["answered"]]
    if not here:
        return []
    without: dict[str, list[float]] = {}
    again: list[list[str]] = []
    for request in here:
        worth = (request["baseline_usd"] or 0.0) - (request["cost_usd"] or 0.0)
        way, _, of = request["answered"].partition(":")
        if source_of(request["answered"]) is None:
            without.setdefault(of or way, []).append(worth)
        else:
            again.append([request["at"][11:19], request["id"][-8:], of[-8:], way, usd(worth)])
    lines = [paint("Answered by lynkr", "bold")]
    if without:
        rows = [[what, str(len(worths)), usd(sum(worths))] for what, worths in without.items()]
        lines += table(("without a model", "requests", "saved"), rows, 1, paint, (0,))
    if again:
        lines += table(("given again at", "request", "answer of", "how", "saved"), again, 4, paint)
        lines.append(paint("  both requests in full: lynkr report REQUEST", "dim"))
    return lines
