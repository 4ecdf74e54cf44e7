"""Terse mode: a fixed addition to the system prompt that asks for fewer words. The same words in every request."""

from __future__ import annotations

from lynkr.transforms.settings import Terse

_CODE = "Code, commands, paths, error messages and quoted text stay complete and exact."
WORDS: dict[Terse, str] = {
    "off": "",
    "lite": f"Answer without preamble, recap or praise. Do not say what you are about to do; do it. {_CODE}",
    "full": (
        "Answer in as few words as the matter allows: no preamble, no recap, no praise, no closing offer. Fragments "
        "are fine. Before a tool call say nothing unless a decision needs its reason. After work is done, say what "
        f"changed and what is open, in at most three lines. {_CODE}"
    ),
    "ultra": (
        "Telegram style. No articles, filler, preamble, recap or praise. Nothing before tool calls. At the end one "
        f"line: result, and what is open. Longer only where asked. {_CODE}"
    ),
}
