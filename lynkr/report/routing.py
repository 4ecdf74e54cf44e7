"""What routing did in a session: which lanes stepped in for which, which conversations changed lanes, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from lynkr.report.table import Paint, table, unpainted
from lynkr.report.words import plural, tokens, usd

_SHOWN = 12


def explained(report: dict[str, Any], paint: Paint = unpainted) -> list[str]:
    """A session's requests, conversation by conversation: who asked, the tier, the lane, and why."""
    requests = [request for request in report["requests"] if request["lane"] is not None]
    if not requests:
        return ["No request of this session was routed."]
    lines = [paint(f"{report['session']['tool']} · {report['session']['id']}", "bold")]
    found: dict[str, list[dict[str, Any]]] = {}
    for request in requests:
        found.setdefault(request["conversation"] or "", []).append(request)
    for key, of in found.items():
        who = of[0]["who"] or "not told apart"
        lines += ["", f"{paint(who, 'bold')} {paint(key[:8], 'dim')}, {plural(len(of), 'request')}"]
        for _, same in groupby(of, key=lambda r: (r["tier"], r["lane"], r["why"])):
            run = list(same)
            first = run[0]
            count = f" ×{len(run)}" if len(run) > 1 else ""
            lines.append(f"  {first['at'][11:19]}  {first['tier']} → {first['lane']}{count}: {first['why']}")
            lines += [f"            {line}" for request in run for line in happened(request)]
    return lines


def happened(request: Mapping[str, Any]) -> list[str]:
    """What was out of the ordinary with one request, a line each."""
    lines = [_failure(attempt) for attempt in request["tried"]] if request["status"] is not None else []
    return [*lines, *([arithmetic(request["switch"])] if request["switch"] else [])]


def _failure(attempt: dict[str, Any]) -> str:
    status = attempt["status"] or "no answer"
    why = f": {attempt['why']}" if attempt.get("why") else ""
    return f"lane {attempt['lane']} did not serve ({status}{why})"


def arithmetic(switch: dict[str, Any]) -> str:
    """A switch in words, with what was put on the scales."""
    verb = "went" if switch["made"] else "stays, though it was to go"
    head = f"{verb} from {switch['from_lane']} to {switch['to_lane']} ({switch['kind']}: {switch['why']})"
    if not switch["tokens"]:
        return f"{head}; nothing of it was cached, so that cost nothing"
    price = usd(switch["cost_usd"]) if switch["cost_usd"] is not None else "an unknown price"
    scales = f"{tokens(switch['tokens'])} cached tokens to write anew, {price}"
    if switch["worth_usd"] is not None:
        what = f"{switch['calls']} more calls would save" if switch["calls"] else "it had saved"
        scales += f", against {usd(switch['worth_usd'])} that {what}"
    return f"{head}; {scales}"


def stepped_in(request: dict[str, Any]) -> bool:
    """Whether another lane served a request than the one it was first sent down."""
    return any(attempt["lane"] != request["lane"] for attempt in request["tried"])


def routing_lines(requests: Sequence[dict[str, Any]], paint: Paint = unpainted) -> list[str]:
    """The part of a report about routing: failures that others stepped in for, and switches."""
    lines: list[str] = []
    failed: dict[tuple[str, str, str], int] = {}
    for request in requests:
        for attempt in request["tried"]:
            if request["outcome"] != "refused" and attempt["lane"] != request["lane"]:
                key = (attempt["lane"], request["lane"], f"{attempt['status'] or ''} {attempt.get('why', '')}".strip())
                failed[key] = failed.get(key, 0) + 1
    if failed:
        lines += [paint("Stepped in", "bold")]
        rows = [[str(count), lane, other, why] for (lane, other, why), count in failed.items()]
        lines += table(("in", "instead of", "lane", "because"), rows, 4, paint, (1, 2, 3))
    if switches := [r["switch"] for r in requests if r["switch"] and r["switch"]["kind"] != "fallback"]:
        made = sum(switch["made"] for switch in switches)
        lines += ["", paint("Switches", "bold") + paint(f", {made} made, {len(switches) - made} not worth it", "dim")]
        rows = [
            [s["kind"], f"{s['from_lane']} → {s['to_lane']}", "yes" if s["made"] else "no", usd(s["cost_usd"]),
             usd(s["worth_usd"]), s["why"]]
            for s in switches
        ]  # fmt: skip
        hidden = len(rows) - _SHOWN
        lines += table(("why", "lanes", "made", "cost", "worth", "because"), rows[-_SHOWN:], 6, paint, (1, 5))
        if hidden > 0:
            lines.append(paint(f"  … and {hidden} before", "dim"))
    if not lines:
        return []
    return [*(lines if lines[0] else lines[1:]), paint("  turn by turn: lynkr route --session last", "dim")]
