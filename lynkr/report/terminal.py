"""A report as text for a terminal of 80 columns, and the one line at a session's end.

Renderers take the values of `report.values` and give lines; who prints them decides whether they are painted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lynkr.report.request import answered_lines
from lynkr.report.routing import routing_lines, stepped_in
from lynkr.report.table import WIDTH, Paint, short, table, unpainted
from lynkr.report.tally import prompt_tokens
from lynkr.report.words import duration, milliseconds, minute, plural, priced_at, share, tokens, usd

_BAR = 20
_SHOWN = 12


def summary(report: dict[str, Any], *, stored: bool = True) -> str:
    """The line that a session ends with; `stored` says that the ledger has the report."""
    totals, session = report["totals"], report["session"]
    if not totals["requests"]:
        return f"no request came through lynkr in this session ({session['tool']})"
    prompt = prompt_tokens(totals)
    parts = [
        plural(totals["requests"], "request"),
        f"{tokens(prompt)} tokens in ({share(totals['cache_read_tokens'], prompt)} cached)",
        f"{tokens(totals['output_tokens'])} out",
        cost_words(totals),
    ]
    if totals["failures"]:
        parts.insert(1, f"{totals['failures']} failed")
    if taken := sum(r["outcome"] != "refused" and stepped_in(r) for r in report["requests"]):
        parts.insert(1, f"{taken} by a lane that stepped in")
    saved = totals["saved_usd"]
    if saved:
        parts.append(f"about {usd(saved)} saved" if saved > 0 else f"about {usd(-saved)} more than asked for")
    return " · ".join([*parts, "lynkr report last"] if stored else parts)


def cost_words(totals: Mapping[str, Any]) -> str:
    """What it cost, how much of that is an estimate, and what had no price."""
    words = "cost unknown" if totals["cost_usd"] is None else usd(totals["cost_usd"])
    notes = cost_notes(totals)
    return f"{words} ({', '.join(notes)})" if notes else words


def cost_notes(totals: Mapping[str, Any]) -> list[str]:
    """What is to be said of a cost beside the figure."""
    if totals["cost_usd"] is None:
        return ["no price for the model"]
    notes = []
    if totals["estimated_usd"]:
        notes.append(f"{usd(totals['estimated_usd'])} of it estimated")
    if totals["unpriced_requests"]:
        notes.append(f"{plural(totals['unpriced_requests'], 'request')} without a known price")
    return notes


def session_report(report: dict[str, Any], prices_date: str, paint: Paint = unpainted) -> list[str]:
    """The report of one session."""
    session, totals = report["session"], report["totals"]
    tool, profile = short(session["tool"], 22), short(session["profile"], 22)
    lines = [
        f"{paint(tool, 'bold')} · profile {profile} · {_minute(session)} UTC",
        paint(f"{session['id']} · {short(session['project'], WIDTH - len(session['id']) - 3)}", "dim"),
        "",
    ]
    if not report["requests"]:
        return [*lines, "No request came through lynkr in this session."]
    lines += _headline(session, totals, report["savings"], paint)
    lines += ["", *_token_bars(totals, paint)]
    lines += ["", *_lane_table(report["lanes"], paint)]
    if compressed := _compression_table(report["savings"], totals, paint):
        lines += ["", *compressed]
    if routed := routing_lines(report["requests"], paint):
        lines += ["", *routed]
    if answered := answered_lines(report["requests"], paint):
        lines += ["", *answered]
    lines += ["", *_request_table(report["requests"], paint)]
    if changed := _change_table(report["requests"], paint):
        lines += ["", *changed]
    return [*lines, "", *_footnotes(report, prices_date, paint)]


def saved_words(saved: float, savings: Mapping[str, Any]) -> list[str]:
    """How much was saved, and then what saved how much of it."""
    words = {"routing": "routing", "compression": "compression", "answers": "answers given again",
             "bypass": "answers without a model"}  # fmt: skip
    parts = [f"{usd(savings[f'{name}_usd'])} by {said}" for name, said in words.items() if savings[f"{name}_usd"]]
    whole = f"about {usd(saved)}" if saved >= 0 else f"nothing: about {usd(-saved)} more than without lynkr"
    return [whole, *parts]


def _headline(session: dict[str, Any], totals: dict[str, Any], savings: dict[str, Any], paint: Paint) -> list[str]:
    prompt = prompt_tokens(totals)
    saved = totals["saved_usd"] or 0.0
    rows = [
        ("Cost", cost_words(totals)),
        ("Baseline", f"{usd(totals['baseline_usd'])}, what it would have cost without lynkr"),
        *(("" if n else "Saved", words) for n, words in enumerate(saved_words(saved, savings))),
        ("Requests", f"{totals['requests']}; {_end(session)}"),
        ("Cache", f"{share(totals['cache_read_tokens'], prompt)} of {tokens(prompt)} input tokens read from it"),
    ]
    if not saved:
        # Nothing was changed that could have saved or cost anything: two lines that say so twice are noise.
        rows = [row for row in rows if row[0] not in ("Baseline", "Saved", "")]
    return [f"{paint(f'{name:<10}', 'dim')}{text}" for name, text in rows]


def _minute(session: dict[str, Any]) -> str:
    return minute(session["started"])


def _end(session: dict[str, Any]) -> str:
    if session["exit_status"] is None or session["seconds"] is None:
        return "the session still runs, or was killed"
    return f"{duration(session['seconds'])}, exit status {session['exit_status']}"


def _token_bars(totals: dict[str, Any], paint: Paint) -> list[str]:
    kinds = [
        ("Input, new", totals["input_tokens"]),
        ("Cache write", totals["cache_write_tokens"]),
        ("Cache read", totals["cache_read_tokens"]),
        ("Output", totals["output_tokens"]),
    ]
    most = max(count for _, count in kinds) or 1
    return [paint("Tokens", "bold")] + [
        f"  {name:<13}{tokens(count):>8}  {'█' * max(round(_BAR * count / most), 1 if count else 0)}".rstrip()
        for name, count in kinds
    ]


def _lane_table(lanes: list[dict[str, Any]], paint: Paint) -> list[str]:
    rows = [
        [
            short(lane["lane"]),
            short(lane["model"] or "(no model)"),
            str(lane["requests"]),
            str(lane["failures"] or "–"),
            share(lane["cache_read_tokens"], prompt_tokens(lane)),
            milliseconds(lane["p50_ms"]),
            usd(lane["cost_usd"]),
        ]
        for lane in lanes
    ]
    head = ("lane", "model", "requests", "failed", "cached", "median", "cost")
    return [paint("Lanes", "bold"), *table(head, rows, 2, paint, (0, 1))]


def _request_table(requests: list[dict[str, Any]], paint: Paint) -> list[str]:
    shown = requests[-_SHOWN:]
    rows = [
        [
            request["at"][11:19],
            short(request["model"] or request["path"]),
            _status(request),
            tokens(prompt_tokens(request)),
            share(request["cache_read_tokens"], prompt_tokens(request)),
            tokens(request["output_tokens"]),
            milliseconds(request["ms"]),
            usd(request["cost_usd"]) + ("~" if request["estimated"] else ""),
        ]
        for request in shown
    ]
    hidden = len(requests) - len(shown)
    title = paint("Requests", "bold") + (paint(f", the last {len(shown)} of {len(requests)}", "dim") if hidden else "")
    return [title, *table(("time", "model", "status", "in", "cached", "out", "took", "cost"), rows, 3, paint, (1,))]


def _compression_table(savings: dict[str, Any], totals: dict[str, Any], paint: Paint) -> list[str]:
    """What compression took out of all requests together, by kind, and what it would have cost."""
    kinds = savings.get("kinds", [])
    if not kinds and not savings.get("faults"):
        return []
    removed, prompt = savings["tokens_removed"], prompt_tokens(totals)
    part = share(removed, removed + prompt)
    lines = [paint("Compressed", "bold") + paint(f", about {tokens(removed)} tokens not sent ({part})", "dim")]
    rows = [[kind["kind"], tokens(kind["tokens_removed"]), usd(kind["saved_usd"])] for kind in kinds]
    if rows:
        lines += table(("what", "tokens", "saved"), rows, 1, paint, (0,))
    if savings.get("faults"):
        lines.append(f"  {plural(savings['faults'], 'result')} left alone, because a compressor failed")
    return [*lines, paint("  each change of a result, before and after: lynkr report --changes", "dim")]


def _change_table(requests: list[dict[str, Any]], paint: Paint) -> list[str]:
    """What was dropped or said otherwise for lanes of another format or model, and in how many requests."""
    found: dict[tuple[str, str], int] = {}
    for request in requests:
        for change in request.get("changes", ()):
            how = f"dropped: {change['why']}" if change["did"] == "dropped" else change["why"]
            found[change["what"], how] = found.get((change["what"], how), 0) + 1
    if not found:
        return []
    rows = [[str(count), short(what, 28), short(how, WIDTH)] for (what, how), count in found.items()]
    rows.sort(key=lambda row: -int(row[0]))
    return [paint("Changed on the way", "bold"), *table(("in", "what", "how"), rows, 3, paint, (2,))]


def _status(request: dict[str, Any]) -> str:
    if request["outcome"] == "gone":
        return "hung up"
    if request["outcome"] == "cut":
        return f"{request['status']} cut"
    return str(request["status"])


def _footnotes(report: dict[str, Any], prices_date: str, paint: Paint) -> list[str]:
    totals = report["totals"]
    notes = [priced_at(prices_date)]
    if any(request["estimated"] for request in report["requests"]):
        notes.append("~ is estimated: the provider gave no full figures, or bills more than tokens.")
    if totals["unpriced_requests"]:
        notes.append("– no price is known for the model: it is left out of every sum of money.")
    return [paint(note, "dim") for note in notes]


def session_list(lines: Sequence[tuple[dict[str, Any], dict[str, Any]]], paint: Paint = unpainted) -> list[str]:
    """Recent sessions, a line each; takes (session, totals) pairs."""
    rows = [
        [
            session["id"][-8:],
            _minute(session),
            short(session["tool"]),
            short(session["profile"]),
            str(totals["requests"]),
            share(totals["cache_read_tokens"], prompt_tokens(totals)),
            usd(totals["cost_usd"]) + ("~" if totals["estimated_usd"] else ""),
            "–" if session["exit_status"] is None else str(session["exit_status"]),
        ]
        for session, totals in lines
    ]
    return table(
        ("session", "started (UTC)", "tool", "profile", "requests", "cached", "cost", "exit"), rows, 4, paint, (2, 3)
    )
