"""Requests as coding tools send them, in small, and a desk that they are put before, with a clock and real prices.

Shapes and headers are those that were seen of Claude Code 2.1.329, Codex 0.169, gemini-cli 0.61, opencode 1.18 and aider
0.86. `Talk` is a conversation of Claude Code's that grows; `Session` plays its turns one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from lynkr.changes import Switch
from lynkr.formats import CODECS
from lynkr.lane import Auth, Format, Lane, Price
from lynkr.ledger.prices import table
from lynkr.routing.asking import Asking, asking
from lynkr.routing.desk import Ask, Desk, Plan
from lynkr.routing.economy import FREE, Rates
from lynkr.routing.router import router
from lynkr.routing.settings import Routing
from lynkr.usage import Usage

# What the scorer makes of them is checked in test_tiers.
SIMPLE = "Which port does the server listen on by default, and where is that set?"
MEDIUM = "Add a retry with backoff to the client in src/http.py, and a test that shows it."
COMPLEX = "refactor the whole parser module to use the new API everywhere, and fix all failing tests in src/parser"
HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
# Seconds since the epoch.
NOW = 1_795_000_000.0

SESSION = "6f1c2a52-0c5e-4a7e-9d55-1f0b8a3c4d5e"
BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.1a2; cc_entrypoint=cli;"}
TOLD = {
    "type": "text",
    "text": "You are Claude Code, Anthropic's official CLI for Claude.\n" + "Do the work well. " * 400,
}
TOOLS = [{"name": "Bash", "description": "Runs a command.", "input_schema": {"type": "object", "properties": {}}}]
TITLE = {
    "type": "json_schema",
    "schema": {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    },
}
SUM_UP = (
    "Your task is to create a detailed summary of the conversation so far, paying close attention to the user's "
    "explicit requests and your previous actions."
)


def claude_says(kind: str | None = "main", agent: str | None = None, session: str = SESSION) -> dict[str, str]:
    """Claude Code's headers, as it sends them to a gateway; None for `kind` is one without hints."""
    found = {"x-app": "cli", "anthropic-version": "2023-06-01", "x-claude-code-session-id": session}
    if kind is not None:
        found["x-claude-code-request-class"] = kind
    return found if agent is None else {**found, "x-claude-code-agent-id": agent}


def claude(messages: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A request of Claude Code's main loop; None takes a field away."""
    body = {
        "model": OPUS,
        "messages": list(messages),
        "system": [BILLING, TOLD],
        "tools": TOOLS,
        "metadata": {"user_id": '{"device_id":"d","account_uuid":"","session_id":"s"}'},
        "max_tokens": 128000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high"},
        "stream": True,
    }
    return {name: value for name, value in {**body, **more}.items() if value is not None}


def claude_title(prompt: str) -> dict[str, Any]:
    """The title that Claude Code's terminal asks for: no tools, a schema, the main model."""
    told = "Generate a concise, sentence-case title (3-7 words) that captures the main topic of this coding session."
    return claude(
        [{"role": "user", "content": [{"type": "text", "text": prompt}]}],
        system=[BILLING, {"type": "text", "text": told}],
        tools=None,
        thinking=None,
        output_config={"format": TITLE},
    )


def codex_says(source: str = "user", kind: str = "turn", thread: str = "019a") -> dict[str, str]:
    """Codex' headers."""
    turn = {"session_id": thread, "thread_id": thread, "turn_id": "019b", "thread_source": source, "request_kind": kind}
    return {
        "originator": "codex_exec",
        "session-id": thread,
        "thread-id": thread,
        "x-codex-turn-metadata": json.dumps(turn),
    }


def codex(*said: tuple[str, str] | Mapping[str, Any], thread: str = "019a", **more: Any) -> dict[str, Any]:
    """A request of Codex': (role, words) or whole items behind what it always sends first."""
    always = [
        ("developer", "You are Codex. " * 300),
        ("user", "<environment_context>\n<cwd>/w</cwd></environment_context>"),
    ]
    items = [item if isinstance(item, Mapping) else codex_item(*item) for item in (*always, *said)]
    return {
        "model": "gpt-5.5",
        "store": False,
        "stream": True,
        "tools": [{"type": "function", "name": "exec_command", "parameters": {"type": "object"}, "strict": False}],
        "tool_choice": "auto",
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": thread,
        "client_metadata": {"thread_id": thread, "session_id": thread},
        "input": items,
        **more,
    }


def codex_item(role: str, words: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": words}]}


def chat(system: str, *said: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A chat client's request without tools (aider's, or a small one of opencode's)."""
    messages = [("system", system), *said]
    return {"model": "gpt-5.5", "messages": [{"role": role, "content": words} for role, words in messages], **more}


def gemini(system: str, *said: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A request of gemini-cli's; the model stands in the path."""
    contents = [{"role": role, "parts": [{"text": words}]} for role, words in said]
    return {"systemInstruction": {"role": "user", "parts": [{"text": system}]}, "contents": contents, **more}


def asked(spoken: Format, body: dict[str, Any], named: Mapping[str, str] | None = None) -> Asking:
    """What routing sees in a request."""
    return asking(CODECS[spoken].read_request(body), named or {})


@dataclass
class Talk:
    """A conversation of Claude Code's; what is said and done is put behind."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def says(self, *words: str) -> Self:
        """The user says something, a block for each of `words`."""
        self._put("user", [{"type": "text", "text": text} for text in words])
        return self

    def answers(self, words: str = "Done.") -> Self:
        self._put("assistant", [{"type": "text", "text": words}])
        return self

    def calls(
        self,
        result: str = "ok",
        *,
        command: str | None = None,
        error: bool = False,
        words: str = "",
        name: str = "Bash",
    ) -> Self:
        """The model calls a tool, which gives `result`."""
        call = f"toolu_{len(self.messages):04}"
        said = [{"type": "text", "text": words}] if words else []
        command = command if command is not None else f"step {len(self.messages)}"
        self._put("assistant", [*said, {"type": "tool_use", "id": call, "name": name, "input": {"command": command}}])
        self._put("user", [{"type": "tool_result", "tool_use_id": call, "content": result, "is_error": error}])
        return self

    def _put(self, role: str, content: list[dict[str, Any]]) -> None:
        self.messages.append({"role": role, "content": content})

    @property
    def body(self) -> dict[str, Any]:
        return claude(self.messages, **self.more)


def begun(prompt: str, **more: Any) -> Talk:
    """A conversation that begins with `prompt`."""
    return Talk(more=more).says(prompt)


def lane(name: str, model: str | None = None, **more: Any) -> Lane:
    """A lane with a key of its own, which serves every tool."""
    spoken = (Format.ANTHROPIC,) if (model or "claude").startswith("claude") else (Format.OPENAI_CHAT,)
    return Lane(name, more.pop("provider", "anthropic"), spoken, more.pop("auth", Auth.KEY), model=model, **more)


def list_prices(lane: Lane, tokens: int) -> Rates | None:
    """The rates of a lane as its price, or the package's list, has them; nothing on this machine costs anything."""
    entry = table().find(lane.model or OPUS, lane.provider)
    price = lane.price or (entry.at(tokens) if entry else None)
    if price is None:
        return FREE if lane.auth is Auth.NONE else None
    return Rates(
        (price.input if price.cache_write is None else price.cache_write) / 1e6,
        (price.input if price.cache_read is None else price.cache_read) / 1e6,
        price.output / 1e6,
    )


class Went(NamedTuple):
    """Where a request went, and why; `switch` is what it became once it was answered."""

    plan: Plan
    lane: str
    tier: str
    why: str
    switch: Switch | None


STRONG, CHEAP = lane("strong", OPUS), lane("cheap", HAIKU)
TWO = {"simple": ["cheap"], "medium": ["cheap"], "complex": ["strong"]}


@dataclass
class Session:
    """One session's requests, one after the other. Every request has `tokens` tokens unless it says otherwise."""

    lanes: Iterable[Lane] = (STRONG, CHEAP)
    tiers: Mapping[str, Sequence[str]] = field(default_factory=lambda: TWO)
    routing: Routing = field(default_factory=Routing)
    verdicts: frozenset[str] = frozenset()
    tokens: int = 20_000
    now: float = NOW

    def __post_init__(self) -> None:
        lanes = {each.name: each for each in self.lanes}
        self.desk = Desk(router(lanes, self.tiers, self.routing), list_prices, self.verdicts)

    def ask(
        self,
        talk: Talk | dict[str, Any],
        after: float = 20.0,
        tokens: int | None = None,
        named: Mapping[str, str] | None = None,
    ) -> Ask:
        """The request, `after` seconds later."""
        self.now += after
        conversation = CODECS[Format.ANTHROPIC].read_request(talk.body if isinstance(talk, Talk) else talk)
        named = claude_says("main" if isinstance(talk, Talk) else "auxiliary") if named is None else named
        found = asking(conversation, named)
        verdict, elements = "safeguards" in conversation.rest, len(conversation.turns)
        return Ask(Format.ANTHROPIC, found, conversation, tokens or self.tokens, self.now, verdict, elements=elements)

    def goes(
        self,
        talk: Talk | dict[str, Any],
        after: float = 20.0,
        tokens: int | None = None,
        *,
        output: int = 600,
        by: str | None = None,
        named: Mapping[str, str] | None = None,
    ) -> Went:
        """A request is planned and answered, by the first lane or by the one called `by`, which says nothing of a cache."""
        ask = self.ask(talk, after, tokens, named)
        plan = self.desk.plan(ask)
        route = next(route for route in plan.routes if by in (None, route.lane.name))
        switch = self.desk.served(plan, route, ask, Usage(input=ask.tokens, output=output))
        return Went(plan, route.lane.name, route.tier, route.why, switch)

    def trouble(self, talk: Talk, times: int = 3, **more: Any) -> Went:
        """The same failure again and again, until that is trouble; the last of those requests."""
        for _ in range(times):
            talk.calls("FAILED tests/test_a.py::test_b - assert 1 == 2", error=True)
            went = self.goes(talk, **more)
        return went


def names(plan: Plan) -> list[str]:
    """The lanes of a plan, in order."""
    return [route.lane.name for route in plan.routes]


def priced(name: str, new: float, read: float, output: float, **more: Any) -> Lane:
    """A lane of a model that no list knows, with a price of its own."""
    return lane(name, "claude-made-up", **more)._replace(price=Price(new, output, read, new))
