"""A small coding agent: `python -m lynkr.demo.agent FOLDER`. It speaks Anthropic Messages to ANTHROPIC_BASE_URL.

Standard library only, like a program that a user might have written: it streams the model's answer, carries out the
tools that the model calls, sends back what came of them, and stops when the model calls none. It works in FOLDER only.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MOST_TURNS = 12
TOOLS = [
    {
        "name": name,
        "description": description,
        "input_schema": {
            "type": "object",
            "properties": {key: {"type": "string"} for key in keys},
            "required": list(keys),
        },
    }
    for name, description, keys in (
        ("read_file", "Read a file of the project.", ("path",)),
        ("edit_file", "Replace the one occurrence of `old` in a file by `new`.", ("path", "old", "new")),
        ("run_tests", "Run the project's tests.", ()),
    )
]
SYSTEM = "You are a coding agent. Use the tools. Work in small steps and say in one sentence what you do."


class Failed(Exception):
    """The model did not answer."""


def ask(base: str, model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """One request; the assistant's message, printed as it comes. Raises Failed."""
    where = urlsplit(base)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=600)
    body = {
        "model": model,
        "max_tokens": 1024,
        "system": SYSTEM,
        "tools": TOOLS,
        "messages": messages,
        "stream": True,
    }
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "demo"}
    try:
        connection.request("POST", where.path.rstrip("/") + "/v1/messages", json.dumps(body), headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Failed(_message(answer.read()))
        return {"role": "assistant", "content": _blocks(_events(answer))}
    except (OSError, http.client.HTTPException) as error:
        raise Failed(str(error)) from error
    finally:
        connection.close()


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:200]


def _events(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in answer:
        if line.startswith(b"data:"):
            yield json.loads(line[5:])


def _blocks(events: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks, arguments = list[dict[str, Any]](), dict[int, str]()
    for event in events:
        match event["type"]:
            case "content_block_start":
                blocks.append(dict(event["content_block"]))
            case "content_block_delta":
                delta = event["delta"]
                if delta["type"] == "text_delta":
                    blocks[-1]["text"] += delta["text"]
                    print(delta["text"], end="", flush=True)
                elif delta["type"] == "input_json_delta":
                    arguments[len(blocks) - 1] = arguments.get(len(blocks) - 1, "") + delta["partial_json"]
            case "error":
                raise Failed(event["error"]["message"])
    print()
    for at, text in arguments.items():
        blocks[at]["input"] = json.loads(text or "{}")
    return blocks


def carry_out(folder: Path, name: str, given: dict[str, str]) -> tuple[str, bool]:
    """What came of a tool call, and whether it is an error."""
    try:
        if name == "run_tests":
            # -B: an edit within the same second, of the same length, would be taken for the compiled file.
            command = [sys.executable, "-B", "-m", "unittest", "-v"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
            return done.stdout + done.stderr, done.returncode != 0
        path = (folder / given["path"]).resolve()
        if not path.is_relative_to(folder.resolve()):
            return "that file is not in the project", True
        text = path.read_text("utf-8")
        if name == "read_file":
            return text, False
        if text.count(given["old"]) != 1:
            return "`old` must occur exactly once", True
        path.write_text(text.replace(given["old"], given["new"]), "utf-8")
    except (OSError, KeyError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}", True
    return "done", False


def work(folder: Path, task: str, base: str, model: str) -> int:
    """The agent's loop; its exit status."""
    print(f"> {task}\n")
    messages: list[dict[str, Any]] = [{"role": "user", "content": task}]
    for _ in range(MOST_TURNS):
        message = ask(base, model, messages)
        calls = [block for block in message["content"] if block["type"] == "tool_use"]
        messages.append(message)
        if not calls:
            return 0
        results = []
        for call in calls:
            text, failed = carry_out(folder, call["name"], call["input"])
            about = call["input"].get("path", "")
            last = text.strip().splitlines()[-1] if text.strip() else ""
            outcome = {"read_file": f"{len(text)} characters"}.get(call["name"], last) if not failed else last
            print(f"  [{call['name']}{' ' + about if about else ''}] {outcome}")
            results.append({"type": "tool_result", "tool_use_id": call["id"], "content": text, "is_error": failed})
        messages.append({"role": "user", "content": results})
        print()
    print("(stopped after a dozen turns)")
    return 1


def main() -> int:
    """Reads the arguments and the environment, works, and says what went wrong if something did."""
    folder, task = Path(sys.argv[1]), sys.argv[2]
    try:
        return work(folder, task, os.environ["ANTHROPIC_BASE_URL"], os.environ.get("ANTHROPIC_MODEL", "claude"))
    except Failed as error:
        print(f"\nthe model did not answer: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
