"""What a lane says of its own credential is told as the lane's: to the tool, which cannot mend it, and to the user, who can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import lynkr, profile
from proxied import anthropic_lane, ask, proxy
from scripts import upstream, whole

from lynkr.lane import Auth
from lynkr.secrets import Key

BODY = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}).encode()
KEY = "sk-lane-0123456789abcdef"


def error(words: str, kind: str = "authentication_error") -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": words}}


@pytest.mark.parametrize(("status", "words"), [(401, "does not take the lane's"), (403, "does not let the lane's")])
def test_a_tool_is_not_asked_to_log_in_where_the_lanes_key_is_refused(status: int, words: str) -> None:
    with upstream(lambda _: whole(error("invalid x-api-key"), status)) as up:
        with proxy(anthropic_lane(up.url, auth=Auth.KEY), keys={"main": Key(KEY)}) as lynkr_:
            answer = ask(lynkr_.port, "/v1/messages", BODY)
            row = lynkr_.row()
    said = json.loads(answer.body)["error"]
    assert (answer.status, said["type"]) == (403, "permission_error")
    assert said["message"].startswith(f"lynkr: lane 'main': anthropic {words}")
    assert "lynkr key test anthropic" in said["message"]
    assert answer.header("x-should-retry") == "false"
    assert [(tried.lane, tried.status) for tried in row.tried] == [("main", status)]


def test_with_the_tools_own_credential_the_refusal_is_the_tools_too() -> None:
    with upstream(lambda _: whole(error("invalid x-api-key"), 401)) as up:
        with proxy(anthropic_lane(up.url)) as lynkr_:
            answer = ask(lynkr_.port, "/v1/messages", BODY)
    assert (answer.status, json.loads(answer.body)) == (401, error("invalid x-api-key"))
    assert answer.header("x-should-retry") is None


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_key_that_a_gateway_repeats_does_not_reach_the_tool(status: int) -> None:
    with upstream(lambda _: whole(error(f"no use for {KEY} here", "invalid_request_error"), status)) as up:
        with proxy(anthropic_lane(up.url, auth=Auth.KEY), keys={"main": Key(KEY)}) as lynkr_:
            answer = ask(lynkr_.port, "/v1/messages", BODY)
    assert KEY not in answer.body.decode()
    assert "no use for … here" in json.loads(answer.body)["error"]["message"]


def test_a_lane_whose_credential_was_not_read_is_not_asked_without_one() -> None:
    with upstream(lambda _: whole({})) as up:
        with proxy(anthropic_lane(up.url, auth=Auth.KEY)) as lynkr_:
            answer = ask(lynkr_.port, "/v1/messages", BODY)
        assert not up.asked
    assert answer.status == 403
    assert b"lynkr run --nested" in answer.body


def test_the_user_is_told_once_at_the_end_what_only_they_can_mend(clean_machine: Path) -> None:
    code = "import json, os, urllib.request, urllib.error\nfor _ in range(3):\n try:\n  urllib.request.urlopen("
    code += "urllib.request.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages', data=os.environ['B'].encode()))"
    code += "\n except urllib.error.HTTPError: pass"
    with upstream(lambda _: whole(error("The deployment does not exist", "not_found_error"), 404)) as up:
        text = (
            f'[lanes.main]\nprovider = "anthropic"\nbase_url = "{up.url}"\nmodel = "claude-opus-5-5"\nkey_env = "K"\n'
        )
        profile(clean_machine, "work", text)
        ran = lynkr("run", "-p", "work", "--", "python3", "-c", code, home=clean_machine, K=KEY, B=BODY.decode())
        quiet = lynkr(
            "run", "-q", "-p", "work", "--", "python3", "-c", code, home=clean_machine, K=KEY, B=BODY.decode()
        )  # fmt: skip
    told = "lynkr: lane 'main': anthropic says 404: The deployment does not exist"
    assert ran.err.splitlines().count(told) == 1
    assert quiet.err == ""
