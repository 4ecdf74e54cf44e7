"""Where lynkr keeps sealed reasoning with a Gemini client: in the signature of the call that followed it.

Clients send a call's `thoughtSignature` back as it came and drop the thoughts themselves (gemini-cli 0.61.0). The field
is base64 of bytes; the envelope travels as the base64 of its text, and holds the thought with it.
"""

from __future__ import annotations

import base64
import json

from lynkr.conversation import Home, Seal, Thinking, unwrap, wrap

# What Google accepts where a call has no signature, because it was made elsewhere; gemini-cli adds it by itself.
NO_SIGNATURE = "skip_thought_signature_validator"
_THOUGHT = "thought"


def closed(thought: Thinking, home: Home) -> str:
    """A signature that holds `thought`, made at `home`."""
    seal = thought.seal or Seal("plain", "")
    held = Seal(_THOUGHT, json.dumps([thought.text, seal.kind, seal.data]))
    return base64.b64encode(wrap(held, home).encode()).decode()


def opened(signature: str) -> tuple[Thinking | None, Seal | None]:
    """(the thought in a signature of ours, the seal in one of Gemini's)."""
    if not signature or signature == NO_SIGNATURE:
        return None, None
    try:
        text = base64.b64decode(signature + "=" * (-len(signature) % 4), altchars=b"-_").decode()
        held = unwrap(text)
    except ValueError:
        held = None
    if held is None:
        return None, Seal("gemini.signature", signature)
    try:
        words, kind, data = json.loads(held[0].data)
    except ValueError:
        return None, None
    return Thinking(str(words), Seal(str(kind), str(data), held[0].home)), None
