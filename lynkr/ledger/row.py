"""A row of the ledger: one request and what became of it. Never a word of a prompt, a key or the session's secret."""

from __future__ import annotations

from dataclasses import dataclass, field

from lynkr.changes import Change, Saving, Switch
from lynkr.usage import Usage


@dataclass(frozen=True, slots=True)
class Try:
    """A lane that was asked and did not serve; `status` is None where it gave none, `why` is its own word for it."""

    lane: str
    status: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One request.

    `at` is RFC 3339 in UTC; `status` what the client got, None where it got nothing. `outcome` is `ok`, `refused` (an
    error of the lane's or ours, whole), `cut` (the lane stopped in the middle) or `gone` (the client hung up).
    `estimated` says that tokens or cost rest on an estimate. Money is in USD at list prices and None where the model
    has no known price; `baseline_usd` is what the same would have cost on the model that was asked for. `changes` is
    what was dropped or said otherwise on the way to a lane of another format or model, and on the way back. `savings`
    is what compression took out, by kind, and `compression_usd` its worth (None where no price is known); `faults`
    counts results that were left alone because a compressor failed. `who` asked (main, subagent, title, …), in which
    `conversation`; `score` is how hard its prompt looked, `switch` the change of lanes that this request was. Of one
    that went to no model `answered` says why: `exact:ID` or `semantic:ID` of the request whose answer it got, or
    `bypass:WHAT`.
    """

    id: str
    at: str
    method: str = ""
    path: str = ""
    format: str | None = None
    tier: str | None = None
    why: str | None = None
    lane: str | None = None
    provider: str | None = None
    model: str | None = None
    asked_model: str | None = None
    status: int | None = None
    outcome: str = "ok"
    error: str | None = None
    tried: tuple[Try, ...] = ()
    usage: Usage = field(default_factory=Usage)
    estimated: bool = False
    cost_usd: float | None = 0.0
    baseline_usd: float | None = 0.0
    removed_tokens: int = 0
    first_byte_ms: float | None = None
    ms: float = 0.0
    changes: tuple[Change, ...] = ()
    compression_usd: float | None = 0.0
    savings: tuple[Saving, ...] = ()
    faults: int = 0
    who: str | None = None
    conversation: str | None = None
    score: float | None = None
    switch: Switch | None = None
    answered: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One `lynkr run`, or a profile of one `lynkr serve`. `seconds` and `exit_status` are None until it has ended."""

    id: str
    tool: str
    profile: str
    project: str
    started: str
    seconds: float | None = None
    exit_status: int | None = None
