"""How many tokens a request has, where no provider says: exactly where the tokenizer is known, else an estimate.

With the extra `tokens` (toktok-rs), OpenAI's models are counted by their own vocabulary, and so are Qwen's. Claude's is
not public: by the same vocabulary it has a quarter more tokens in code up to Claude 4.6, and over half more since 4.7
(measured by others against the provider's counts: x1.26 and x1.59 in code, x1.17 and x1.52 in prose). Without the
extra, four characters are a token, which is within some 10 % of OpenAI's o200k for code and for prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lynkr.usage import CHARS_PER_TOKEN

# What stands around each message, and around a tool, in providers' own templates.
_AROUND = 4
_OLD_CLAUDE = re.compile(r"claude-(?:3|(?:opus|sonnet|haiku)-4-(?:0|1|5|6)\b|(?:opus|sonnet)-4(?:-20|\b(?!-)))")
_FAMILIES: tuple[tuple[re.Pattern[str], str, float], ...] = (
    (_OLD_CLAUDE, "o200k_base", 1.22),
    (re.compile(r"claude"), "o200k_base", 1.56),
    (re.compile(r"gpt-oss"), "o200k_harmony", 1.0),
    (re.compile(r"gpt-3|gpt-4-|gpt-4$"), "cl100k_base", 1.0),
    (re.compile(r"gpt|^o\d|chatgpt|codex"), "o200k_base", 1.0),
    (re.compile(r"qwen"), "qwen3.5", 1.0),
    (re.compile(r""), "o200k_base", 1.0),
)
# Members of a request that its model reads.
_READ = ("system", "instructions", "systemInstruction", "messages", "input", "contents", "tools")


def count(body: dict[str, Any], model: str) -> int:
    """About how many tokens `body` has for `model`; never 0."""
    texts = [text for name in _READ if name in body for text in _texts(body[name], names=name == "tools")]
    messages = sum(len(body[name]) for name in ("messages", "input", "contents") if isinstance(body.get(name), list))
    vocabulary, factor = next((names, by) for like, names, by in _FAMILIES if like.search(model.lower()))
    counted = _counted(texts, vocabulary)
    if counted is None:
        counted = sum(map(len, texts)) // CHARS_PER_TOKEN
    return max(1, round(counted * factor) + _AROUND * messages)


def _counted(texts: list[str], vocabulary: str) -> int | None:
    """The tokens of some texts; None without the extra."""
    try:
        import toktok
    except ImportError:
        return None
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    return int(sum(toktok.batch_count(clean, vocabulary, threads=1)))


def _texts(value: Any, *, names: bool) -> Iterator[str]:
    """Every text in a value, and, for schemas, the names of its members. Pictures are not text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, names=names)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in ("data", "signature", "cache_control", "encrypted_content", "image_url"):
                continue
            if names:
                yield name
            yield from _texts(inner, names=names)
