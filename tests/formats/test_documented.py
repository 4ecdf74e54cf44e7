"""docs/formats.md lists what each pair of formats cannot say; the lists are made here, and must be what stands there.

Set LYNKR_WRITE_DOCS=1 to write them anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import everything
import pytest
from documents import check

from lynkr.changes import Change, Changes
from lynkr.conversation import Home
from lynkr.formats import CODECS, SPEECHES
from lynkr.lane import Auth, Format, Lane
from lynkr.target import Target
from lynkr.translate.request import write
from lynkr.upstream.capabilities import capabilities
from lynkr.upstream.fit import fit

# Read now: what every test starts from is a machine without any such variable.
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "formats.md"
BEGIN = "<!-- made by tests/formats/test_documented.py -->"
SAID: dict[Format, dict[str, Any]] = {
    Format.ANTHROPIC: everything.ANTHROPIC,
    Format.OPENAI_CHAT: everything.CHAT,
    Format.OPENAI_RESPONSES: everything.RESPONSES,
    Format.GEMINI: everything.GEMINI,
}
# The models that the lists are made with: current ones, and a plain local one.
MODELS = {
    Format.ANTHROPIC: "claude-opus-5",
    Format.OPENAI_CHAT: "llama-3.3-70b",
    Format.OPENAI_RESPONSES: "gpt-5.5",
    Format.GEMINI: "gemini-3-pro-preview",
    Format.OLLAMA: "qwen3:8b",
    Format.BEDROCK_CONVERSE: "amazon.nova-pro-v1:0",
    Format.BEDROCK_INVOKE: "us.anthropic.claude-opus-4-8",
    Format.VERTEX_ANTHROPIC: "claude-opus-5-5",
}


def changes(client: Format, spoken: Format) -> tuple[Change, ...]:
    model, noted = MODELS[spoken], Changes()
    lane = Lane("lane", "any", (spoken,), Auth.KEY, model=model)
    target = Target(Home(lane.name, model), capabilities(lane, spoken, model))
    write(CODECS[client].read_request(SAID[client]), SPEECHES[spoken], target, fit, noted)
    return noted.listed()


def pairs() -> list[tuple[Format, Format]]:
    return [(client, spoken) for client in CODECS for spoken in SPEECHES if client is not spoken]


def made() -> str:
    lines = [""]
    for client in CODECS:
        lanes = [spoken for spoken in SPEECHES if spoken is not client]
        found = {spoken: {change.what: change for change in changes(client, spoken)} for spoken in lanes}
        lines += [
            "",
            f"### From {client}",
            "",
            "| | " + " | ".join(f"{lane} ({MODELS[lane]})" for lane in lanes) + " |",
        ]
        lines.append("|---" * (len(lanes) + 1) + "|")
        for what in dict.fromkeys(what for noted in found.values() for what in noted):
            cells = [said(found[lane].get(what)) for lane in lanes]
            lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", ""])


def said(change: Change | None) -> str:
    if change is None:
        return ""
    return "dropped" if change.did == "dropped" else change.why.replace("<", "\\<").replace("|", "\\|")


def test_the_document_lists_what_is_dropped_and_changed() -> None:
    check(DOCUMENT, BEGIN, made())


@pytest.mark.parametrize(("client", "spoken"), pairs())
def test_every_change_is_named_in_words_a_user_can_read(client: Format, spoken: Format) -> None:
    for change in changes(client, spoken):
        assert change.what
        assert change.why
        assert change.what.isprintable()
        assert len(f"{change.what} ({change.why})") < 160
