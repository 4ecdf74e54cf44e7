"""How much fits into a model at Ollama's, where the profile does not say.

Left alone, Ollama takes a small context and silently drops the oldest messages, so every request names a size. A model
that is loaded keeps the size it has, because another one loads it anew. Otherwise it is what the model's own file says,
or else what the model can take, up to a size whose cache fits into most machines (docs.ollama.com, "Context length").
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from lynkr.errors import UpstreamError

USUAL = 32_768
_MOST = 4 * 1024 * 1024
# Posts a body (or gets, where it is None) at a path and gives the answer's body.
Fetch = Callable[[str, bytes | None], Awaitable[bytes]]


async def context(model: str, fetch: Fetch) -> int | None:
    """The size to use for `model`, in tokens; None where Ollama does not tell."""
    try:
        loaded = _object(await fetch("/api/ps", None)).get("models")
        for entry in loaded if isinstance(loaded, list) else ():
            size = entry.get("context_length") if isinstance(entry, dict) else None
            if size and model in (
                entry.get("name"),
                entry.get("model"),
                str(entry.get("name")).removesuffix(":latest"),
            ):
                return int(size)
        return size_of(_object(await fetch("/api/show", json.dumps({"model": model}).encode())))
    except UpstreamError:
        return None


def size_of(told: dict[str, Any]) -> int | None:
    """The size that /api/show tells: what the model's file says, else what the model can, up to the usual."""
    for line in str(told.get("parameters", "")).splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx" and value.strip().isdigit():
            return int(value)
    info = told.get("model_info")
    sizes = [size for name, size in info.items() if name.endswith(".context_length")] if isinstance(info, dict) else []
    return min(int(sizes[0]), USUAL) if sizes and isinstance(sizes[0], int) else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
