"""A request that stays in its format but goes to another model changes where it must and nowhere else.

Everything outside of the members and messages concerned leaves byte for byte: spacing, key order, duplicate keys, `1e0`,
escapes, members that nobody here knows. Where nothing has to change, nothing does. And what lynkr sealed into answers
of other makers' models is taken out again before a maker gets to see it who cannot read it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from lynkr.changes import Changes
from lynkr.conversation import Home, Seal, wrap
from lynkr.document import Document
from lynkr.formats import CODECS, match
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import Inbound, Outbound, outbound
from lynkr.target import Capabilities, Target
from lynkr.translate.request import betas_for, patch
from lynkr.upstream.fit import fit

MESSAGES, CHAT, RESPONSES = "/v1/messages", "/v1/chat/completions", "/v1/responses"
FLASH = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
SPOKEN = {MESSAGES: Format.ANTHROPIC, CHAT: Format.OPENAI_CHAT, RESPONSES: Format.OPENAI_RESPONSES}


def sent(
    path: str, body: bytes | dict[str, Any], model: str | None, headers: Sequence[tuple[str, str]] = (), **more: Any
) -> Outbound:
    """What leaves for a lane with `model` that speaks the client's own format."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    spoken = more.pop("speaks", SPOKEN.get(path.partition("/count")[0], Format.GEMINI))
    lane = Lane("main", "somebody", (spoken,), Auth.KEY, "http://there", model, **more)
    request = Request("POST", path, [(name.encode(), value.encode()) for name, value in headers], None)  # type: ignore[arg-type]
    named = {name.lower(): value for name, value in headers}
    return outbound(Inbound(request, named, match("POST", request.path), raw, "id", 0), lane)


def value(out: Outbound) -> dict[str, Any]:
    assert out.body is not None
    found = json.loads(out.body)
    assert isinstance(found, dict)
    return found


def noted(out: Outbound) -> set[tuple[str, str]]:
    return {(change.what, change.did) for change in out.changes.listed()}


# As no serialiser writes it.
ODD = rb"""{ "odd" : {"b":1,"b":2} ,"model":"first", "max_tokens":1e3,
  "m\u006fdel" : "claude-opus-5-5" , "system":[{"type":"text","text":"\u0041\/ \ud800","more": -0}],
  "messages":[ {"role":"assistant", "content":[{"type":"text" ,"text":"a", "citations":null}],"odd":1e0}
    ,{"content":"hi\u0021","role":"user"},{"role":"user","content":[ {"type":"text","text":"b"} ]}],
  "tools" : [ {"name":"ls","input_schema":{"type" : "object"}, "x":[1 , 2]} ], "stream":true, "metadata":{"user_id":"u","x":0.10}
}
"""


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-haiku-4-5", "anthropic.claude-opus-5-5"])
def test_a_body_that_fits_changes_in_the_model_s_name_alone(model: str) -> None:
    out = sent(MESSAGES, ODD, model)
    assert out.body == ODD.replace(b"claude-opus-5-5", model.encode())
    assert (out.changes.listed(), out.asked, out.model) == ((), "claude-opus-5-5", model)


@pytest.mark.parametrize("model", [None, "claude-opus-5-5"])
def test_a_body_for_the_model_that_it_names_is_the_very_same_object(model: str | None) -> None:
    assert sent(MESSAGES, ODD, model).body is ODD


@pytest.mark.parametrize("spoken", CODECS)
def test_a_conversation_that_fits_has_no_edits(spoken: Format) -> None:
    bodies = {
        Format.ANTHROPIC: ODD,
        Format.OPENAI_CHAT: b'{"model":"a", "max_tokens":5, "messages":[ {"role":"user","content":"hi"} ], "odd":1e0}',
        Format.OPENAI_RESPONSES: b'{"model":"a", "input":[ {"role":"user","content":"hi"} ], "store":false, "odd":1e0}',
        Format.GEMINI: b'{"contents":[ {"parts":[{"text":"hi"}]} ], "generationConfig":{"odd":1e0}}',
    }
    document, changes = Document.read(bodies[spoken]), Changes()
    conversation = CODECS[spoken].read_request(document.value)
    target = Target(Home("main", "b"), Capabilities())
    assert patch(document, conversation, CODECS[spoken], target, fit, changes) == []
    assert changes.listed() == ()


def test_thinking_is_said_anew_and_all_else_stays() -> None:
    body = ODD.replace(
        b'"stream":true', b'"thinking": {"type":"adaptive"} ,"output_config":{"effort":"high"}, "stream":true'
    )
    out = sent(MESSAGES, body, "claude-haiku-4-5")
    kept = body.replace(b"claude-opus-5-5", b"claude-haiku-4-5").replace(b' ,"output_config":{"effort":"high"}', b"")
    before, after = kept.split(b'{"type":"adaptive"}')
    assert out.body is not None
    assert out.body.startswith(before)
    assert out.body.endswith(after)
    assert value(out)["thinking"]["type"] in ("enabled", "disabled")


def test_sampling_is_taken_out_wherever_it_stands() -> None:
    body = b'{"temperature":1e0, "model":"claude-opus-4-5", "top_p" : 0.9,"temperature":2e-1,"messages":[], "max_tokens":10 ,"top_k":5}'
    out = sent(MESSAGES, body, "claude-opus-5-5")
    assert out.body == b'{"model":"claude-opus-5-5","messages":[], "max_tokens":10}'
    assert noted(out) == {("temperature", "dropped"), ("top_p", "dropped"), ("top_k", "dropped")}


SYSTEM = b"""{"model":"claude-opus-5-5","max_tokens":100,"messages":[
  {"role" : "user","content":"one", "odd":1e0} ,
  {"role":"assistant","content":[{"type":"text","text":"tw\\u006f"}]},
  {"role":"system","content":"It is noon."},
  {"role":"assistant","content" : "three","odd":[ ]}, {"role":"user","content":"four"}]}"""
NOON = b'{"role":"user","content":[{"type":"text","text":"<system-reminder>\\nIt is noon.\\n</system-reminder>"}]}'


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-sonnet-5", "claude-opus-4-7", "kimi-k3"])
def test_a_system_message_becomes_the_user_s_where_it_is_refused(model: str) -> None:
    out = sent(MESSAGES, SYSTEM, model)
    expected = SYSTEM.replace(b'{"role":"system","content":"It is noon."}', NOON)
    assert out.body == expected.replace(b"claude-opus-5-5", model.encode())
    assert len(out.changes.listed()) == 1


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-opus-5", "claude-haiku-5-5"])
def test_a_system_message_stays_where_it_is_taken(model: str) -> None:
    assert sent(MESSAGES, SYSTEM, model).body == SYSTEM.replace(b"claude-opus-5-5", model.encode())


def test_a_system_message_beside_the_user_s_own_changes_no_other_message() -> None:
    own = b'{"role":"user","content":"o\\u006ee" , "odd":1e0}'
    body = b'{"model":"claude-opus-5-5","max_tokens":9,"messages":[%b,{"role":"system","content":"It is noon."}]}'
    out = sent(MESSAGES, body % own, "claude-haiku-4-5")
    assert out.body is not None
    assert own in out.body
    assert b"It is noon." in out.body


def test_a_file_that_the_provider_holds_is_not_lost_on_the_way_to_its_other_model() -> None:
    image = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    messages = [{"role": "user", "content": [image]}, {"role": "system", "content": "It is noon."}]
    out = sent(MESSAGES, {"model": "claude-opus-5-5", "max_tokens": 9, "messages": messages}, "claude-haiku-4-5")
    assert image in value(out)["messages"][0]["content"]


def test_the_automatic_breakpoint_stays_one() -> None:
    body = {"model": "claude-opus-4-8", "max_tokens": 9, "cache_control": {"type": "ephemeral"},
            "tool_choice": {"type": "any"}, "tools": [{"name": "ls", "input_schema": {}}],
            "messages": [{"role": "user", "content": "hi"}]}  # fmt: skip
    assert json.dumps(value(sent(MESSAGES, body, "claude-opus-5-5"))).count("cache_control") == 1


CLEAR = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
OPUS = {"model": "claude-opus-5-5", "max_tokens": 9000, "context_management": CLEAR, "thinking": {"type": "adaptive"},
        "messages": [{"role": "user", "content": "hi"}]}  # fmt: skip
BETAS = "claude-code-20250219,context-management-2025-06-27,interleaved-thinking-2025-05-14"


def test_context_management_goes_together_with_its_beta() -> None:
    out = sent(MESSAGES, OPUS, "kimi-k3", [("anthropic-beta", BETAS), ("X-Other", "1")])
    assert "context_management" not in value(out)
    assert out.headers == [(b"X-Other", b"1")]
    assert {("context_management", "dropped"), ("betas", "dropped")} <= noted(out)


def test_context_management_stays_together_with_its_beta() -> None:
    out = sent(MESSAGES, OPUS, "claude-opus-4-8", [("anthropic-beta", BETAS)])
    assert value(out)["context_management"] == CLEAR
    assert (b"anthropic-beta", BETAS.encode()) in out.headers


def test_in_amazon_s_envelope_context_management_and_its_beta_go_and_the_known_ones_stay() -> None:
    out = sent(
        MESSAGES, OPUS, "us.anthropic.claude-opus-4-8", [("anthropic-beta", BETAS)], speaks=Format.BEDROCK_INVOKE
    )
    body = value(out)
    assert body["anthropic_beta"] == ["claude-code-20250219", "interleaved-thinking-2025-05-14"]
    assert body["anthropic_version"] == "bedrock-2023-05-31"
    assert not {"model", "stream", "context_management"} & set(body)


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-3-5-sonnet-20241022"])
def test_thoughts_are_not_cleared_where_there_is_no_thinking(model: str) -> None:
    call = {"type": "tool_use", "id": "t", "name": "ls", "input": {}}
    messages = [*OPUS["messages"], {"role": "assistant", "content": [call]},  # type: ignore[misc]
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}]  # fmt: skip
    body = value(sent(MESSAGES, {**OPUS, "messages": messages}, model, [("anthropic-beta", BETAS)]))
    assert body.get("thinking", {}).get("type") not in ("enabled", "adaptive")
    assert "clear_thinking" not in json.dumps(body)


def deferred() -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "late"}]}
    return {
        "model": "claude-opus-5-5",
        "max_tokens": 9000,
        "tools": [
            {"name": "Find", "input_schema": {"type": "object"}, "odd": 1},
            {"name": "late", "input_schema": {"type": "object"}, "defer_loading": True},
            {"name": "later", "input_schema": {"type": "object"}, "defer_loading": True},
        ],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Find", "input": {}}]},
            {"role": "user", "content": [result]},
        ],
    }


@pytest.mark.parametrize("model", ["kimi-k3", "claude-opus-4-1"])
def test_deferred_tools_are_shown_once_they_are_found_where_they_are_unknown(model: str) -> None:
    body = value(sent(MESSAGES, deferred(), model))
    assert [tool["name"] for tool in body["tools"]] == ["Find", "late"]
    assert "defer_loading" not in json.dumps(body)
    assert "late" in json.dumps(body["messages"][2])
    assert "tool_reference" not in json.dumps(body)
    assert body["messages"][:2] == deferred()["messages"][:2]


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-haiku-4-5"])
def test_deferred_tools_stay_where_they_are_known(model: str) -> None:
    assert value(sent(MESSAGES, deferred(), model)) == {**deferred(), "model": model}


def test_in_amazon_s_envelope_deferred_tools_keep_their_beta() -> None:
    out = sent(MESSAGES, deferred(), "us.anthropic.claude-opus-4-8",
               [("anthropic-beta", "advanced-tool-use-2025-11-20")], speaks=Format.BEDROCK_INVOKE)  # fmt: skip
    body = value(out)
    assert "defer_loading" not in json.dumps(body) or "tool-search-tool-2025-10-19" in body.get("anthropic_beta", [])


def test_the_billing_block_is_not_shown_to_strangers() -> None:
    system = [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2"}, {"type": "text", "text": "S"}]
    out = sent(MESSAGES, {**OPUS, "system": system}, "kimi-k3")
    assert ("billing header", "dropped") in noted(out)
    assert b"billing" not in (out.body or b"")


def test_a_request_to_count_tokens_is_fitted_too() -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "a"},
        {"role": "system", "content": "n"},
    ]
    body = {"model": "claude-opus-5-5", "thinking": {"type": "adaptive"}, "messages": messages}
    after = value(sent(MESSAGES + "/count_tokens", body, "claude-haiku-4-5"))
    assert after["thinking"]["type"] != "adaptive"
    assert "system" not in [message["role"] for message in after["messages"]]


def patched(spoken: Format, body: bytes, can: Capabilities) -> bytes:
    """A body of a client's as it leaves for a model that can do so much."""
    document, codec = Document.read(body), CODECS[spoken]
    edits = patch(document, codec.read_request(document.value), codec, Target(Home("main", "b"), can), fit, Changes())
    return document.splice(edits)


BEGUN = b'{"role" : "assistant","content":"Once upon "}'


def words(message: dict[str, Any]) -> str:
    """The words of a message, however it has them."""
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.parametrize("spoken", [Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES])
@pytest.mark.parametrize("count", [1, 2])
def test_where_every_turn_is_replaced_the_body_is_sound(spoken: Format, count: int) -> None:
    talk = CODECS[spoken].TALK
    body = b'{"model":"a", "%s":[ %s ],"odd":1e0}' % (talk.encode(), b" , ".join([BEGUN] * count))
    after = patched(spoken, body, Capabilities(prefill=False))
    assert after.endswith(b' ],"odd":1e0}')
    (message,) = json.loads(after)[talk]
    assert message["role"] == "user"
    assert words(message).endswith("Once upon " * count)


@pytest.mark.parametrize("spoken", [Format.OPENAI_CHAT, Format.OPENAI_RESPONSES])
def test_what_is_put_in_place_of_every_turn_stands_behind_the_leading_system_message(spoken: Format) -> None:
    talk, system = CODECS[spoken].TALK, b'{"role":"system","content":"B\\u0065 brief.","odd":1e0}'
    body = b'{"model":"a","%s":[%s, %s]}' % (talk.encode(), system, BEGUN)
    after = patched(spoken, body, Capabilities(prefill=False))
    assert system in after
    assert [message["role"] for message in json.loads(after)[talk]] == ["system", "user"]


@pytest.mark.parametrize("last", [
    b'{"type" : "custom_tool_call_output","call_id":"c","output":"d\\u006fne"}',
    b'{"type" : "function_call_output","call_id":"c","output":[ {"type":"input_text","text":"d\\u006fne"} ]}',
])  # fmt: skip
def test_what_a_tool_gave_keeps_its_bytes_where_words_have_to_be_said_behind_it(last: bytes) -> None:
    body = b'{"model":"a","text":{"format":{"type":"json_schema","name":"n","schema":{}}},"input":[ %s ]}' % last
    after = patched(Format.OPENAI_RESPONSES, body, Capabilities(schema_output=False))
    assert last in after
    given, told = json.loads(after)["input"]
    assert given == json.loads(last)
    assert (told["type"], told["role"]) == ("message", "user")
    assert "Answer with JSON only" in words(told)


HI = [{"role": "user", "content": "hi"}]
STAYS = "what the lane's model has no field for is noted as dropped and stays"


@pytest.mark.parametrize(
    ("path", "body", "model", "gone", "there"),
    [
        (CHAT, {"model": "gpt-4o", "max_tokens": 100, "messages": HI}, "gpt-5.5", "max_tokens", "max_completion_tokens"),
        (CHAT, {"model": "gpt-5", "reasoning_effort": "high", "messages": HI}, "gpt-4.1", "reasoning_effort", None),
        (CHAT, {"model": "gpt-5", "max_completion_tokens": 99_999, "messages": HI}, "mystery", "max_completion_tokens",
         "max_tokens"),
        (RESPONSES, {"model": "gpt-5", "reasoning": {"effort": "high"}, "input": HI}, "gpt-4.1", "reasoning", None),
        (RESPONSES, {"model": "gpt-5", "include": ["reasoning.encrypted_content"], "input": HI}, "gpt-4.1", "include", None),
    ],
)  # fmt: skip
def test_openai_s_fields_are_those_of_the_model_that_it_goes_to(
    path: str, body: dict[str, Any], model: str, gone: str, there: str | None
) -> None:
    after = value(sent(path, body, model, context=8192))
    assert gone not in after
    assert there is None or there in after


@pytest.mark.parametrize(
    ("path", "body", "model", "kept"),
    [
        (FLASH, {"contents": [{"parts": [{"text": "hi"}]}],
                 "generationConfig": {"thinkingConfig": {"thinkingBudget": 5000}, "mediaResolution": "LOW"}},
         "gemini-3-pro-preview", ("generationConfig", "mediaResolution", "LOW")),
        (RESPONSES, {"model": "gpt-5.5", "reasoning": {"effort": "xhigh", "summary": "detailed"}, "input": HI}, "gpt-5.1",
         ("reasoning", "summary", "detailed")),
        (MESSAGES, {**OPUS, "output_config": {"effort": "xhigh", "new": 1}}, "claude-opus-4-6", ("output_config", "new", 1)),
    ],
)  # fmt: skip
def test_what_stands_beside_a_setting_that_changes_stays(
    path: str, body: dict[str, Any], model: str, kept: tuple[str, str, Any]
) -> None:
    assert value(sent(path, body, model))[kept[0]].get(kept[1]) == kept[2]


def test_a_gemini_model_is_named_in_the_path_alone() -> None:
    body = b'{"contents" : [ {"role":"user","parts":[{"text":"hi"}]} ], "odd":1e0}'
    out = sent(FLASH, body, "gemini-2.5-pro")
    assert out.target == FLASH.replace("flash", "pro")
    assert (out.body, out.asked, out.model) == (body, "gemini-2.5-flash", "gemini-2.5-pro")


@pytest.mark.parametrize(
    ("given", "taken", "left"),
    [
        ("a,b", None, None),
        ("a, b ,c", {"c": "c", "a": "a"}, ("a", "c")),
        ("a,b", {"a": "x", "b": "x"}, ("x",)),
        ("a,b", {}, ()),
        ("", {"a": "a"}, ()),
    ],
)
def test_betas_are_kept_by_name_and_in_order(
    given: str, taken: dict[str, str] | None, left: tuple[str, ...] | None
) -> None:
    assert betas_for(given, taken) == left


# Sealed elsewhere, resumed at home: nothing of lynkr's may reach the maker.
AWAY = Home("other", "that-model")
SEALED = wrap(Seal("gemini.signature", "CiQB"), AWAY)
OF_CALL = wrap(Seal("gemini.signature", "CiQB"), AWAY, of_call=True)
INSIDE = base64.b64encode(wrap(Seal("thought", '["Hm.","plain",""]'), AWAY).encode()).decode()
LEFTOVERS = [
    pytest.param(
        MESSAGES,
        b"""{"model":"claude-opus-5-5","max_tokens":1e2, "messages":[ {"role":"user","content":"a\\u0041"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"%s"},{"type":"redacted_thinking","data":"%s"},
          {"type":"thinking","thinking":"own","signature":"EqQB"},{"type":"tool_use","id":"t","name":"ls","input":{}}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"%s"}]},
        {"role" : "user","content":[ {"type":"tool_result","tool_use_id":"t"}],"odd":1e0} ] }"""
        % (SEALED.encode(), OF_CALL.encode(), SEALED.encode()),
        [b'{"role":"user","content":"a\\u0041"}', b'{"role" : "user","content":[ {"type":"tool_result","tool_use_id":"t"}],"odd":1e0}',
         b'{"role":"assistant","content":[{"type":"thinking","thinking":"own","signature":"EqQB"},{"type":"tool_use","id":"t","name":"ls","input":{}}]}'],
        id="anthropic",
    ),
    pytest.param(
        RESPONSES,
        b"""{"model":"gpt-5.5", "input":[ {"role":"user","content":"a\\u0041"},
        {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"%s"}, {"type" : "reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAA"},
        {"type":"function_call","call_id":"c","name":"ls","arguments":"{}" } ],"odd":1e0}""" % SEALED.encode(),
        [b'{"role":"user","content":"a\\u0041"}', b'{"type" : "reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAA"}',
         b'{"type":"function_call","call_id":"c","name":"ls","arguments":"{}" }'],
        id="openai-responses",
    ),
    pytest.param(
        FLASH,
        b"""{"contents":[ {"role":"user","parts":[{"text":"a\\u0041"}]},
        {"role":"model","parts":[{"thoughtSignature":"%s","functionCall":{"name":"ls","args":{}}}]},
        {"role" : "model","parts":[{"text":"b","thoughtSignature":"CiQB"}]} ],"odd":1e0}""" % INSIDE.encode(),
        [b'{"role":"user","parts":[{"text":"a\\u0041"}]}', b'{"role" : "model","parts":[{"text":"b","thoughtSignature":"CiQB"}]}',
         b'"functionCall":{"name":"ls","args":{}}'],
        id="gemini",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "kept"), LEFTOVERS)
def test_what_lynkr_sealed_is_taken_out_of_what_goes_home_untranslated(
    path: str, body: bytes, kept: list[bytes]
) -> None:
    out = sent(path, body, None)
    assert out.body is not None
    assert not any(mark.encode() in out.body for mark in (SEALED, OF_CALL, INSIDE))
    assert [item for item in kept if item not in out.body] == []
    before, after = json.loads(body), value(out)
    assert {name: after[name] for name in after if name not in ("messages", "input", "contents")} == {
        name: before[name] for name in before if name not in ("messages", "input", "contents")
    }
    assert noted(out) == {("sealed reasoning", "dropped")}


@pytest.mark.parametrize(("path", "body", "kept"), LEFTOVERS[:3])
def test_where_nothing_is_sealed_the_very_same_bytes_leave(path: str, body: bytes, kept: list[bytes]) -> None:
    clean = body.replace(b"lynkr:v1:", b"EqQBlynkr").replace(INSIDE.encode(), b"CiQB")
    assert sent(path, clean, None).body is clean


def test_talk_about_seals_is_no_seal() -> None:
    body = json.dumps(
        {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": f"what is {SEALED}?"}]}
    ).encode()
    assert sent(MESSAGES, body, None).body is body


def test_a_call_of_another_maker_s_model_is_signed_with_the_word_for_that() -> None:
    call = {"functionCall": {"name": "ls", "args": {}}, "thoughtSignature": INSIDE}
    contents = [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [call]}]
    out = sent(FLASH.replace("2.5-flash", "3-pro-preview"), {"contents": contents}, None)
    assert value(out)["contents"][1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"
