"""What the clients of the tests of providers say, each as the real one does, and a session on one provider's lane.

Claude Code, Codex and gemini-cli say what was captured of them; a chat client, what opencode and aider send.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from proxied import Answer, Key, Proxy, ask, proxy
from scripts import Asked, Step, Upstream, upstream
from strict import CALL, KEY, USERS, Described, Strict

from lynkr.profile import read
from lynkr.upstream.catalog import Way

CLIENTS = ("anthropic", "openai-chat", "openai-responses", "gemini")
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"command": {"type": "string"}, "lines": {"type": "array", "items": {}}},
    "required": ["command"],
    "additionalProperties": False,
}
TOOL = {"name": "Bash", "description": "Runs a command."}
# Claude Code 2.1.329 with a claude.ai login, Codex 0.169, gemini-cli 0.61.
HEADERS = {
    "anthropic": [
        f"Authorization: Bearer {USERS}", "anthropic-version: 2023-06-01", "x-app: cli", "User-Agent: claude-cli/2.1.329",
        "anthropic-beta: claude-code-20250219,oauth-2025-04-20,interleaved-thinking-2025-05-14,"
        "context-management-2025-06-27,per-turn-control-2026-07-01,advanced-tool-use-2025-11-20,effort-2025-11-24,"
        "extended-cache-ttl-2025-04-11,fine-grained-tool-streaming-2025-05-14,prompt-caching-scope-2026-01-05",
    ],
    "openai-chat": [f"Authorization: Bearer {USERS}", "OpenAI-Organization: org-users", "User-Agent: opencode/1.18"],
    "openai-responses": [f"Authorization: Bearer {USERS}", "originator: codex_exec", "session-id: 019a"],
    "gemini": [f"x-goog-api-key: {USERS}", "x-goog-api-client: google-genai-sdk/1.30.0"],
}  # fmt: skip
TARGETS = {
    "anthropic": "/v1/messages?beta=true",
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
}
MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def cases(every: Iterable[Described], of: Callable[[Described], Iterable[str]]) -> list[ParameterSet]:
    """Each provider with each of something."""
    return [pytest.param(one, other, id=f"{one.name}-{other}") for one in every for other in of(one)]


class LoggedIn:
    """A login at a cloud that takes no keys."""

    def headers(self, _method: str, _url: str, _body: bytes, _there: Way) -> list[tuple[bytes, bytes]]:
        return [(b"Authorization", f"Bearer {KEY}".encode())]


@contextlib.contextmanager
def serving(
    described: Described, folder: Path, says: Callable[[Asked], list[Step]] | None = None
) -> Iterator[tuple[Strict, Upstream, Proxy]]:
    """A session on one lane of a profile; `says` are the provider's answers where they are special ones."""
    strict = Strict(described, says=says)
    with upstream(strict) as up:
        path = folder / "theirs.toml"
        path.write_text("[lanes.main]\n" + described.lane.replace("{url}", up.url) + "\n")
        credential = Key(KEY) if described.variable else LoggedIn()
        with proxy(*read(path, "theirs").lanes.values(), keys={"main": credential}) as lynkr:
            yield strict, up, lynkr


def send(lynkr: Proxy, client: str, body: dict[str, Any], streamed: bool) -> Answer:
    target = TARGETS.get(client)
    if target is None:
        target = "/v1beta/models/gemini-3-pro-preview:"
        target += "streamGenerateContent?alt=sse" if streamed else "generateContent"
    elif streamed:
        body = (
            body | {"stream": True} | ({"stream_options": {"include_usage": True}} if client == "openai-chat" else {})
        )
    sent = json.dumps(body, separators=(",", ":")).encode()
    return ask(lynkr.port, target, sent, [*HEADERS[client], "Content-Type: application/json"])


def first(client: str, words: str = "list the files") -> dict[str, Any]:
    """The first request of a session."""
    match client:
        case "anthropic":
            billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.136; cc_entrypoint=cli;"}
            return {
                "model": "claude-opus-5-5",
                "max_tokens": 32000,
                "system": [billing, {"type": "text", "text": "You are Claude Code.", **MARK},
                           {"type": "text", "text": "Mend it.", "cache_control": {"type": "ephemeral", "scope": "global"}}],
                "tools": [{**TOOL, "input_schema": SCHEMA}],
                "thinking": {"type": "adaptive", "display": "omitted"},
                "output_config": {"effort": "high"},
                "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
                "metadata": {"user_id": '{"device_id":"d","account_uuid":"","session_id":"s"}'},
                "messages": [{"role": "user", "content": [{"type": "text", "text": words, **MARK}]}],
            }  # fmt: skip
        case "openai-chat":
            tool = {"type": "function", "function": {**TOOL, "parameters": SCHEMA}}
            return {
                "model": "gpt-4.1",
                "max_tokens": 32000,
                "tools": [tool],
                "tool_choice": "auto",
                "messages": [{"role": "system", "content": "Mend it."}, {"role": "user", "content": words}],
            }
        case "openai-responses":
            said = [("developer", "Mend it."), ("user", words)]
            return {
                "model": "gpt-5.5",
                "store": False,
                "tools": [{"type": "function", **TOOL, "parameters": SCHEMA, "strict": False}],
                "tool_choice": "auto",
                "parallel_tool_calls": True,
                "reasoning": {"effort": "medium", "summary": "auto"},
                "include": ["reasoning.encrypted_content"],
                "prompt_cache_key": "019a",
                "text": {"verbosity": "low"},
                "client_metadata": {"x-codex-installation-id": "i"},
                "input": [{"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}
                          for role, text in said],
            }  # fmt: skip
        case _:
            return {
                "systemInstruction": {"role": "user", "parts": [{"text": "Mend it."}]},
                "tools": [{"functionDeclarations": [{**TOOL, "parametersJsonSchema": SCHEMA}]}],
                "generationConfig": {"temperature": 1, "topP": 0.95, "thinkingConfig": {"includeThoughts": True}},
                "contents": [{"role": "user", "parts": [{"text": words}]}],
            }


def second(client: str, more: str = "") -> dict[str, Any]:
    """The request that brings a call's result; with `more`, something that the user said meanwhile."""
    body, (name, arguments) = first(client), CALL
    match client:
        case "anthropic":
            result = {"type": "tool_result", "tool_use_id": "toolu_01A", "content": "a.txt", **MARK}
            body["messages"] += [
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "toolu_01A", "name": name, "input": arguments}],
                },
                {"role": "user", "content": [result, *([{"type": "text", "text": more}] if more else [])]},
            ]
        case "openai-chat":
            function = {"name": name, "arguments": json.dumps(arguments)}
            called = [{"id": "call_FNQdE1", "type": "function", "function": function}]
            body["messages"] += [
                {"role": "assistant", "content": "", "tool_calls": called},
                {"role": "tool", "tool_call_id": "call_FNQdE1", "content": "a.txt"},
                *([{"role": "user", "content": more}] if more else []),
            ]
        case "openai-responses":
            body["input"] += [
                {"type": "function_call", "call_id": "call_68", "name": name, "arguments": json.dumps(arguments)},
                {"type": "function_call_output", "call_id": "call_68", "output": "a.txt"},
                *(
                    [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": more}]}]
                    if more
                    else []
                ),
            ]
        case _:
            response = {"functionResponse": {"id": "c1", "name": name, "response": {"output": "a.txt"}}}
            body["contents"] += [
                {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": name, "args": arguments},
                                             "thoughtSignature": "CiQB0e2Kb3NpZ25lZA=="}]},
                {"role": "user", "parts": [response, *([{"text": more}] if more else [])]},
            ]  # fmt: skip
    return body
