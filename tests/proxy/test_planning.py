"""What planning makes of a request before the desk gets to see it."""

from __future__ import annotations

import json
from typing import Any

from asked import BILLING, CHEAP, COMPLEX, STRONG, TOLD, TOOLS, TWO, begun, claude_says

from lynkr import formats
from lynkr.lane import Format
from lynkr.ledger.meter import Meter
from lynkr.ledger.prices import table
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import Inbound
from lynkr.proxy.planning import Planning
from lynkr.routing.desk import Ask
from lynkr.routing.router import router


def looked_into(**more: Any) -> Ask:
    """The first request of one of Claude Code's conversations, as it is put before the desk."""
    planning = Planning(router({"strong": STRONG, "cheap": CHEAP}, TWO), Meter(table()), lambda: 1_795_000_000.0)
    request = Request("POST", "/v1/messages", [], None)  # type: ignore[arg-type]
    body = json.dumps(begun(COMPLEX, **more).body).encode()
    inbound = Inbound(request, claude_says(), formats.match("POST", "/v1/messages"), body, "1", 0)
    ask = planning.place(inbound, Format.ANTHROPIC).ask
    assert ask is not None
    return ask


def test_conversations_that_differ_in_claude_codes_billing_line_alone_share_what_stands_before_them() -> None:
    other = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330.9f8; cc_entrypoint=cli; cch=1a2b;"}
    assert other["text"] != BILLING["text"]
    one, two, none = (looked_into(system=system) for system in ([BILLING, TOLD], [other, TOLD], [TOLD]))
    assert (one.prefix_id, one.prefix) == (two.prefix_id, two.prefix) == (none.prefix_id, none.prefix)


def test_conversations_that_differ_in_tools_or_instructions_share_nothing_before_them() -> None:
    told = [BILLING, {**TOLD, "text": TOLD["text"] + "Be brief."}]
    tools = [{**TOOLS[0], "description": "Runs it."}]
    assert len({looked_into(**more).prefix_id for more in ({}, {"system": told}, {"tools": tools})}) == 3
