"""A request as a line of a log: JSON for machines, words for people. Never a word of a prompt, an answer or a key."""

from __future__ import annotations

from typing import Any

from lynkr.ledger.row import Row, Session
from lynkr.report.table import short
from lynkr.report.tally import TOKENS, counts, failed
from lynkr.report.values import request_values
from lynkr.report.words import milliseconds, tokens, usd

_FIELDS = (
    "method", "path", "who", "tier", "lane", "provider", "model", "asked_model", "status", "outcome", "error", "tried",
    "answered", *TOKENS, "cost_usd", "estimated", "first_byte_ms", "ms",
)  # fmt: skip


def entry(session: Session, row: Row) -> dict[str, Any]:
    """The line as values; `request` is the id that the client got as x-lynkr-request."""
    values = request_values(row)
    return {
        "at": row.at,
        "level": "warning" if failed(row) else "info",
        "event": "request",
        "request": row.id,
        "session": session.id,
        "profile": session.profile,
        **{name: values[name] for name in _FIELDS},
    }


def notice(at: str, text: str) -> dict[str, Any]:
    """Something that an operator should know."""
    return {"at": at, "level": "warning", "event": "notice", "message": text}


def readable(session: Session, row: Row) -> str:
    """The line for people."""
    figures = counts(row.usage)
    prompt = sum(figures.values()) - figures["output_tokens"]
    status = "hung up" if row.outcome == "gone" else f"{row.status or '–'}{' cut' if row.outcome == 'cut' else ''}"
    where = f"{short(session.profile, 16)}/{short(row.lane, 16)}"
    parts = [
        row.at[11:19], f"{status:<7}", f"{where:<20}", f"{short(row.model or row.path, 28):<28}",
        f"{tokens(prompt):>6} in", f"{tokens(figures['output_tokens']):>6} out", f"{milliseconds(row.ms):>7}",
        f"{usd(row.cost_usd)}{'~' if row.estimated else ''}",
        *([short(row.error, 60)] if row.error else []),
    ]  # fmt: skip
    return "  ".join(parts)
