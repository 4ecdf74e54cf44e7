"""What past sessions cost and where it went, and what they would have cost with lynkr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lynkr.ledger.prices import Table, cost
from lynkr.ledger.row import Row, Session
from lynkr.report.overview import view_table
from lynkr.report.period import Span, period
from lynkr.report.table import WIDTH, Paint, short, table, unpainted
from lynkr.report.tally import Tally, prompt_tokens
from lynkr.report.words import plural, priced_at, share, tokens, usd
from lynkr.usage import Usage

_KINDS = ("input", "cache_write", "cache_read", "output")
_WORDS = {"input": "new input", "cache_write": "written to the cache", "cache_read": "read from the cache",
          "output": "output"}  # fmt: skip
_SHOWN = 10


def audit_values(
    was: Sequence[tuple[Session, Row]],
    would: Sequence[tuple[Session, Row]],
    results: Mapping[str, Sequence[int]],
    prices: Table,
    margin: float,
    span: Span,
) -> dict[str, Any]:
    """The account as plain values. `saved_usd` is between `low_usd` and `high_usd`, as far as figures go."""
    whole, then = period(span, was, ("day", "model", "tool", "project")), Tally.of(row for _, row in would)
    prompt = prompt_tokens(whole["totals"])
    saved, other = then.savings(), then.totals()
    moved = [row for (_, old), (_, row) in zip(was, would, strict=True) if row.model != old.model]
    elsewhere = sum(row.cost_usd or 0.0 for row in moved)
    doubt = margin * (abs(saved["compression_usd"]) + elsewhere)
    known = other["saved_usd"]
    return {
        **whole,
        "spent_on": _spent_on((row for _, row in was), prices),
        "results": [
            {"tool": name, "results": number, "tokens": count, "share_of_prompts": sent / prompt if prompt else 0.0}
            for name, (number, count, sent) in sorted(results.items(), key=lambda each: -each[1][2])
        ],
        "with_lynkr": {
            "cost_usd": other["cost_usd"], "saved_usd": known,
            "low_usd": None if known is None else round(known - doubt, 9),
            "high_usd": None if known is None else round(known + doubt, 9),
            "unpriced_requests": other["unpriced_requests"], **saved,
            "elsewhere_requests": len(moved),
            "unpriced_lanes": _unpriced(was, would),
        },
    }  # fmt: skip


def _unpriced(was: Sequence[tuple[Session, Row]], would: Sequence[tuple[Session, Row]]) -> dict[str, int]:
    """How many requests that had a price would have gone to a lane that has none."""
    found = dict[str, int]()
    for (_, old), (_, row) in zip(was, would, strict=True):
        if old.cost_usd is not None and row.cost_usd is None and row.lane is not None:
            found[row.lane] = found.get(row.lane, 0) + 1
    return found


def _spent_on(rows: Iterable[Row], prices: Table) -> dict[str, dict[str, Any]]:
    """Tokens and money by kind, at the rates that each request was priced at."""
    found: dict[str, list[float]] = {kind: [0, 0.0] for kind in _KINDS}
    for row in rows:
        usage, entry = row.usage, prices.find(row.model or "", row.provider or "")
        alone = {
            "input": Usage(input=usage.input),
            "cache_write": Usage(cache_write=usage.cache_write, cache_write_1h=usage.cache_write_1h),
            "cache_read": Usage(cache_read=usage.cache_read),
            "output": Usage(output=usage.output),
        }
        rates = entry.at(usage.prompt) if entry else None
        for kind, each in alone.items():
            found[kind][0] += each.prompt + each.output
            if rates is not None and entry is not None:
                found[kind][1] += cost(each, type(entry)(rates))[0]
    return {kind: {"tokens": int(count), "cost_usd": round(amount, 9)} for kind, (count, amount) in found.items()}


def audit_report(
    values: Mapping[str, Any], read: Mapping[str, Any], prices_date: str, paint: Paint = unpainted
) -> list[str]:
    """The account for a terminal. `read` says what was read: files, sessions, skipped lines, the profile."""
    totals, then = values["totals"], values["with_lynkr"]
    if not totals["requests"]:
        return ["No request of a past session was found."]
    sessions, prompt = plural(values["sessions"], "session"), prompt_tokens(totals)
    days = [group["day"] for group in values["by"]["day"]]
    cached = f"{share(totals['cache_read_tokens'], prompt)} of {tokens(prompt)} input tokens read from it"
    lines = [
        f"{paint('Past sessions', 'bold')} · {plural(totals['requests'], 'request')} in {sessions}",
        paint(f"{days[0]} to {days[-1]}", "dim"),
        "",
        paint("Cost      ", "dim") + f"{usd(totals['cost_usd'])}, at today's list prices",
        paint("Cache     ", "dim") + cached,
        "",
        *_kinds(values["spent_on"], paint),
    ]
    if values["results"]:
        lines += ["", *_results(values["results"], paint)]
    for view in ("model", "tool", "project"):
        lines += ["", *view_table(view, values["by"][view], paint, money_only=True)]
    notes = [paint(note, "dim") for note in _notes(totals, read, prices_date)]
    return [*lines, "", *_would(then, read, paint), "", *notes]


def _kinds(spent: Mapping[str, Any], paint: Paint) -> list[str]:
    whole = sum(each["cost_usd"] for each in spent.values())
    rows = [
        [_WORDS[kind], tokens(each["tokens"]), usd(each["cost_usd"]),
         f"{100 * each['cost_usd'] / whole:.0f}%" if whole else "–"]
        for kind, each in spent.items()
    ]  # fmt: skip
    return [paint("What it was spent on", "bold"), *table(("kind", "tokens", "cost", "share"), rows, 1, paint)]


def _results(results: Sequence[Mapping[str, Any]], paint: Paint) -> list[str]:
    rows = [
        [
            short(each["tool"], 36),
            str(each["results"]),
            tokens(each["tokens"]),
            f"{100 * each['share_of_prompts']:.1f}%",
        ]
        for each in results[:_SHOWN]
    ]
    return [paint("Tool results in prompts", "bold") + paint(", each sent again with every later request", "dim"),
            *table(("tool", "results", "tokens", "of all prompts"), rows, 1, paint, (0,))]  # fmt: skip


def _would(then: Mapping[str, Any], read: Mapping[str, Any], paint: Paint) -> list[str]:
    title = paint(f"With lynkr, profile {read['profile']}", "bold")
    unknown = [
        f"  {plural(count, 'request')} to lane {short(lane, 24)}, which has no known price"
        for lane, count in then["unpriced_lanes"].items()
    ]
    if unknown:
        unknown.append("  and are in no figure here. (A lane may say: price = { input = 0, output = 0 })")
    if then["saved_usd"] is None:
        return [title, *(unknown or ["  no price is known for these models"])]
    if read["unserved"]:
        title += paint(f" (it has no lane for {', '.join(read['unserved'])})", "dim")
    if not then["saved_usd"] and not then["tokens_removed"] and not then["elsewhere_requests"]:
        way = "  Another profile: lynkr audit -p NAME (lynkr profile list)"
        same = "nothing changes" if read["unserved"] else "the same: nothing goes elsewhere, and nothing is compressed"
        return [title, f"  {same}.", way]
    rows = [("Cost", usd(then["cost_usd"])), ("Saved", _about(then))]
    words = {"routing_usd": "by routing", "compression_usd": "by compression"}
    rows += [("", f"{usd(then[name])} {said}") for name, said in words.items() if then[name]]
    if then["tokens_removed"]:
        rows.append(("Not sent", f"{tokens(then['tokens_removed'])} tokens"))
    if then["elsewhere_requests"]:
        rows.append(("Elsewhere", f"{plural(then['elsewhere_requests'], 'request')} to another model"))
    return [title, *(f"  {paint(f'{name:<10}', 'dim')}{text}" for name, text in rows), *unknown]


def _about(then: Mapping[str, Any]) -> str:
    return f"about {usd(then['saved_usd'])}, between {usd(then['low_usd'])} and {usd(then['high_usd'])}"


def _notes(totals: Mapping[str, Any], read: Mapping[str, Any], prices_date: str) -> list[str]:
    notes = [priced_at(prices_date)]
    if totals["unpriced_requests"]:
        notes.append(f"{plural(totals['unpriced_requests'], 'request')} without a known price: in no sum of money.")
    notes.append("Titles and other chores stand in no transcript. Whether a cheaper model would")
    notes.append("have needed as many turns is not known, and in no figure here.")
    if read["skipped_lines"]:
        notes.append(f"{plural(read['skipped_lines'], 'line')} of {read['lines']:,} could not be read.")
    return [*notes, *(short(path, WIDTH) for path in read["unread"])]
