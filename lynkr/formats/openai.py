"""What OpenAI's two wire formats share: their error body and their names for other service tiers."""

from __future__ import annotations

import json

from lynkr.errors import LynkrError

# Billed at another rate than the list's: https://platform.openai.com/docs/pricing (flex, priority, batch).
OTHER_RATES = ("flex", "priority", "batch")


def error_body(error: LynkrError) -> bytes:
    """The JSON body of an error answer."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    body = {"error": {"message": error.sentence, "type": kind, "param": None, "code": f"lynkr_{error.kind}"}}
    return json.dumps(body).encode()
