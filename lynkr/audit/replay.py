"""What past sessions cost, and what they would have cost with a profile: the same requests, placed and shaped by the
same code that serves a session, at the times when they were made.

What they cost is the recorded usage at today's prices. What they would have cost rests on rules: compression takes out
of a request what it would have taken, and of that what stood before the recorded end of the cached part counts as read
from the cache; a lane that a conversation is on has cached what it was last sent, for as long as its provider keeps it.
Answers are taken to be as long on another lane, and as many: whether a cheaper model needs more turns, nobody knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate, count

from lynkr import formats
from lynkr.audit.past import Reader, Thread, Turn
from lynkr.changes import Removed, Saving
from lynkr.errors import ClientError
from lynkr.formats import Match
from lynkr.ids import ulid
from lynkr.lane import Auth, Format, Lane
from lynkr.ledger.meter import Meter
from lynkr.ledger.row import Row
from lynkr.ledger.stamp import stamp
from lynkr.plan import Plan
from lynkr.proxy.documents import Documents
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import Inbound
from lynkr.proxy.planning import Planning
from lynkr.proxy.shaping import Outcome, Shaping
from lynkr.routing.budget import Purse
from lynkr.routing.settings import Budget
from lynkr.usage import CHARS_PER_TOKEN, HOUR_S, WARM_S, Heard, Usage

_PATHS = {Format.ANTHROPIC: "/v1/messages", Format.OPENAI_RESPONSES: "/v1/responses"}
# No system prompt and tools have more characters.
_LARGEST = 4_000_000


@dataclass(frozen=True, slots=True)
class Judged:
    """One request as it was (`was`) and as it would have been (`would`)."""

    was: Row
    would: Row


@dataclass(slots=True)
class Replay:
    """Replays the transcripts of one tool. `plan` is what would serve them, None for what it cannot serve."""

    reader: Reader
    meter: Meter
    plan: Plan | None
    _now: float = 0.0
    _planning: Planning = field(init=False)
    _shaping: Shaping = field(init=False)
    # What each lane has cached of the conversation under way: tokens, when they were sent, and in how long a body.
    _cached: dict[str, tuple[int, float, int]] = field(default_factory=dict)
    # Whether it has left the model that it was recorded on.
    _left: bool = False
    _ids: Iterator[int] = field(default_factory=count)
    _documents: Documents = field(default_factory=Documents)

    def __post_init__(self) -> None:
        if self.plan is not None:
            self._planning = Planning(self.plan.router, self.meter, lambda: self._now, Purse(Budget()))
            self._shaping = Shaping(self.plan.compress, lambda _change, _request: None)

    def thread(self, thread: Thread) -> Iterator[Judged]:
        """The requests of a conversation, in order; one conversation at a time."""
        self._cached, self._left = {}, False
        bodies = _bodies(self.reader.FORMAT, thread) if self.plan is not None else None
        for turn in thread.turns:
            was = self._was(thread, turn)
            would = was
            if bodies is not None and self.plan is not None:
                would = self._would(thread, turn, was, bodies(turn))
            yield Judged(was, would)

    def _was(self, thread: Thread, turn: Turn) -> Row:
        lane = Lane("recorded", self.reader.PROVIDER, (self.reader.FORMAT,), Auth.CLIENT)
        cost = self.meter.count(Heard(turn.usage, final=True, complete=True), lane, turn.model, turn.model, 0)
        return Row(
            ulid(int(turn.at * 1000), next(self._ids).to_bytes(10, "big")),
            stamp(datetime.fromtimestamp(turn.at, UTC)),
            "POST", _PATHS[self.reader.FORMAT], str(self.reader.FORMAT),
            lane="as it was", provider=self.reader.PROVIDER,
            model=turn.model, asked_model=turn.model, status=200, usage=turn.usage, estimated=cost.estimated,
            cost_usd=cost.cost_usd, baseline_usd=cost.cost_usd, who=thread.who, conversation=thread.session[:16],
        )  # fmt: skip

    def _would(self, thread: Thread, turn: Turn, was: Row, body: bytes) -> Row:
        self._now = turn.at
        inbound = self._inbound(thread, turn, body)
        try:
            placed = self._planning.place(inbound, self.reader.FORMAT)
        except ClientError:
            return was  # the profile has no lane for it
        route = placed.plan.routes[0]
        shaped = self._shaping(self._planning.for_lane(placed, route.lane), route.lane)
        usage, whole = self._usage(route.lane, turn, shaped)
        lane, model = route.lane, route.lane.model or turn.model
        cost, uncompressed = (self._cost(each, lane, model) for each in (usage, whole))
        plan = self._planning.served(placed, route, usage)
        self._planning.purse.settle(inbound.id, None)
        compressed = None if cost is None or uncompressed is None else uncompressed - cost
        savings = _savings(shaped.removed(), usage.prompt, compressed)
        return replace(
            was, tier=route.tier, why=route.why, lane=lane.name, provider=lane.provider, model=model, usage=usage,
            # What had no price before has nothing to be set against.
            cost_usd=None if was.cost_usd is None else cost, removed_tokens=sum(saving.tokens for saving in savings),
            savings=savings, compression_usd=None if was.cost_usd is None else compressed, faults=shaped.faults,
            switch=plan.switch,
        )  # fmt: skip

    def _cost(self, usage: Usage, lane: Lane, model: str) -> float | None:
        return self.meter.count(Heard(usage, final=True, complete=True), lane, model, model, 0).cost_usd

    def _usage(self, lane: Lane, turn: Turn, shaped: Outcome) -> tuple[Usage, Usage]:
        """The usage that the request would have had on `lane`: as it was shaped, and as it came."""
        recorded, removed = turn.usage, shaped.removed()
        kept, length = 1 / (1 + sum(part.share for part in removed)), len(shaped.inbound.body or b"")
        prompt = round(recorded.prompt * kept)
        tokens, at, sent = self._cached.get(lane.name, (0, 0.0, 0))
        self._left = self._left or not (lane.auth is Auth.CLIENT or lane.model in (None, turn.model))
        # What this lane was sent before is in its cache, and what stands behind it is new: shaping changes no old byte.
        end = sent / length if length else 0.0
        before = round(sum(part.share for part in removed if part.place < end) * prompt)
        behind = recorded.prompt - prompt - before
        self._cached[lane.name] = (prompt + recorded.output, turn.at, length)
        if not self._left:
            if not recorded.cache_read:
                before, behind = 0, before + behind
            read = max(recorded.cache_read - before, 0)
            return _split(recorded, read, prompt - read), recorded
        keeps = HOUR_S if recorded.cache_write_1h else WARM_S
        read = min(tokens, prompt) if turn.at - at <= keeps else 0
        if not read:
            before, behind = 0, before + behind
        usage = Usage(cache_read=read, cache_write=prompt - read, output=recorded.output)
        whole = replace(usage, cache_read=read + before, cache_write=usage.cache_write + behind)
        return usage, whole

    def _inbound(self, thread: Thread, turn: Turn, body: bytes) -> Inbound:
        path = _PATHS[self.reader.FORMAT]
        named = {"x-claude-code-session-id": thread.session, "x-claude-code-request-class": thread.who}
        if self.reader.FORMAT is Format.OPENAI_RESPONSES:
            source = "user" if thread.who == "main" else "subagent"
            told = json.dumps({"thread_source": source, "request_kind": "turn"})
            named = {"thread-id": thread.session, "x-codex-turn-metadata": told}
        match = formats.match("POST", path)
        assert isinstance(match, Match)
        request = Request("POST", path, [], None)  # type: ignore[arg-type]
        return Inbound(request, named, match, body, f"{next(self._ids):026}", int(turn.at),
                       reading=self._documents.read)  # fmt: skip


def _split(recorded: Usage, read: int, rest: int) -> Usage:
    """The recorded usage with so much read from the cache, and the rest written and new as the recorded rest was."""
    whole = recorded.cache_write + recorded.cache_write_1h + recorded.input
    share = rest / whole if whole else 0.0
    hour, short = round(recorded.cache_write_1h * share), round(recorded.cache_write * share)
    return replace(recorded, billed=None, cache_read=read, cache_write=short, cache_write_1h=hour,
                   input=max(rest - hour - short, 0))  # fmt: skip


def _savings(removed: Sequence[Removed], prompt: int, usd: float | None) -> tuple[Saving, ...]:
    """What compression saved, shared out among its kinds by what each took."""
    shares = dict[str, float]()
    for part in removed:
        shares[part.kind] = shares.get(part.kind, 0.0) + part.share
    whole = sum(shares.values())
    return tuple(
        Saving(kind, round(share * prompt), None if usd is None else usd * share / whole)
        for kind, share in shares.items()
    )


def _bodies(spoken: Format, thread: Thread) -> Callable[[Turn], bytes]:
    """What makes the body of a request: each item is written once, and instructions of unknown text stand for what the
    transcript has not kept (tools, system prompt), as long as the recorded counts say they were."""
    items = [json.dumps(item) for item in _merged(thread.items)] if spoken is Format.ANTHROPIC else None
    written = items or [json.dumps(item) for item in thread.items]
    lengths = list(accumulate(map(len, written), initial=0))
    ends = _ends(thread) if items is not None else list(range(len(thread.items) + 1))
    first = thread.turns[0] if thread.turns else None
    known = len(thread.instructions)
    hidden = max(first.usage.prompt * CHARS_PER_TOKEN - lengths[ends[first.length]] - known, 0) if first else 0
    hidden = min(hidden, _LARGEST)
    told = json.dumps(thread.instructions + " ." * (hidden // 2))

    def body(turn: Turn) -> bytes:
        held = ", ".join(written[: ends[turn.length]])
        model = json.dumps(turn.model)
        if spoken is Format.ANTHROPIC:
            return f'{{"model": {model}, "max_tokens": 32000, "system": {told}, "messages": [{held}]}}'.encode()
        return f'{{"model": {model}, "instructions": {told}, "input": [{held}], "store": false}}'.encode()

    return body


def _merged(items: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Messages with those of one role that follow each other put together, as the API wants them."""
    merged: list[dict[str, object]] = []
    for item in items:
        if merged and merged[-1]["role"] == item["role"]:
            merged[-1] = {"role": item["role"], "content": [*_blocks(merged[-1]), *_blocks(item)]}
        else:
            merged.append(item)
    return merged


def _blocks(item: dict[str, object]) -> list[object]:
    content = item["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _ends(thread: Thread) -> list[int]:
    """How many merged messages so many items are."""
    ends, last = [0], None
    for item in thread.items:
        ends.append(ends[-1] + (item["role"] != last))
        last = item["role"]
    return ends
