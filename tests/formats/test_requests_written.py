"""One rich conversation as each format says it: whole bodies, written by hand after the providers' own documents.

In it: two calls at once, answered in two messages with words and a picture between them, one of them an error; a system
message on the way; settings of every kind. What stands here is what is posted, fitted to its model.
"""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from lynkr.changes import Changes
from lynkr.conversation import (
    Call,
    Choice,
    Conversation,
    Home,
    Media,
    Output,
    Reasoning,
    Result,
    Sampling,
    Seal,
    Text,
    Thinking,
    Tool,
    Turn,
)
from lynkr.formats import SPEECHES, anthropic
from lynkr.lane import Auth, Format, Lane
from lynkr.target import Target
from lynkr.translate.request import write
from lynkr.upstream.capabilities import capabilities
from lynkr.upstream.fit import fit

IMAGE = Media("image", "image/png", "iVBO")
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
NOTHING = {"type": "object", "properties": {}}
USER = sha256(b"user-1").hexdigest()[:32]


def talk(thinking: Thinking | None = None) -> Conversation:
    """The conversation; `thinking` is what the model thought before its calls."""
    calls = (Call("toolu_1", "Read", '{"path": "a.png"}'), Call("toolu_2", "List"))
    return Conversation(
        "asked-for",
        (
            Turn("user", (Text("Look at both."), IMAGE)),
            Turn("assistant", (*([thinking] if thinking else []), Text("I will."), *calls)),
            Turn("user", (Text("Quickly!"), Result("toolu_1", (Text("here"), IMAGE), name="Read"))),
            Turn("user", (Result("toolu_2", (Text("no such file"),), error=True, name="List"),)),
            Turn("system", (Text("It is noon."),)),
            Turn("user", (Text("Go on.", "5m"),)),
        ),
        system=(Text("Be brief."), Text("Use tools.", "1h")),
        tools=(Tool("Read", "Reads a file.", SCHEMA, cache="5m"), Tool("List", "Lists files.")),
        choice=Choice("auto"),
        parallel=False,
        max_output=4096,
        stop=("END",),
        sampling=Sampling(temperature=0.5),
        reasoning=Reasoning("adaptive", effort="high"),
        user="user-1",
        cache_key="key-1",
        stream=True,
    )


def written(c: Conversation, spoken: Format, model: str, **more: Any) -> dict[str, Any]:
    """What is posted for `c` to `model`."""
    lane = Lane("main", more.pop("provider", "somebody"), (spoken,), Auth.KEY, model=model, **more)
    target = Target(Home("main", model), capabilities(lane, spoken, model))
    body = json.loads(write(c, SPEECHES[spoken], target, fit, Changes()).body)
    assert isinstance(body, dict)
    return body


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


FIVE, HOUR = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
RESULTS = [
    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [text("here"), PICTURE]},
    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such file", "is_error": True},
]
SAID: list[dict[str, Any]] = [
    text("I will."),
    {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.png"}},
    {"type": "tool_use", "id": "toolu_2", "name": "List", "input": {}},
]
ANTHROPIC: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 4096,
    "stream": True,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "user-1"},
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "tools": [
        {"name": "Read", "description": "Reads a file.", "input_schema": SCHEMA, "cache_control": FIVE},
        {"name": "List", "description": "Lists files.", "input_schema": NOTHING},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "system": [text("Be brief."), {**text("Use tools."), "cache_control": HOUR}],
    "messages": [
        {"role": "user", "content": [text("Look at both."), PICTURE]},
        {"role": "assistant", "content": SAID},
        {"role": "user", "content": [*RESULTS, text("Quickly!")]},
        {"role": "system", "content": [text("It is noon.")]},
        {"role": "user", "content": [{**text("Go on."), "cache_control": FIVE}]},
    ],
}


def test_anthropic_gets_results_first_and_in_one_message() -> None:
    assert written(talk(), Format.ANTHROPIC, "claude-opus-4-8") == ANTHROPIC


@pytest.mark.parametrize("turns", [1, 2])
def test_anthropic_gets_results_first_even_where_nobody_has_put_them_in_order(turns: int) -> None:
    parts = (Text("Quickly!"), Result("toolu_2", (Text("no such file"),), error=True))
    apart = (Turn("user", parts[:1]), Turn("user", parts[1:])) if turns == 2 else (Turn("user", parts),)
    body = anthropic.write_request(replace(talk(), turns=apart), Target(Home("main", "claude-opus-4-8")), Changes())
    assert body["messages"] == [{"role": "user", "content": [RESULTS[1], text("Quickly!")]}]


def test_anthropic_s_model_gets_its_own_thoughts_back_and_nobody_else_s() -> None:
    for home, comes_back in ((None, True), (Home("main", "claude-opus-4-8"), True), (Home("other", "x"), False)):
        thought = Thinking("Hm.", Seal("anthropic.signature", "EqQB", home))
        message = written(talk(thought), Format.ANTHROPIC, "claude-opus-4-8")["messages"][1]
        own = [{"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}] if comes_back else []
        assert message["content"] == own + SAID


def test_an_older_claude_gets_a_budget_and_system_messages_as_the_user_s() -> None:
    thought = Thinking("Hm.", Seal("anthropic.signature", "EqQB"))
    asked = replace(talk(thought), max_output=None)
    body = written(asked, Format.ANTHROPIC, "claude-haiku-4-5")
    reminder = text("<system-reminder>\nIt is noon.\n</system-reminder>")
    last = {**text("Go on."), "cache_control": FIVE}
    assert body == {
        **{name: value for name, value in ANTHROPIC.items() if name != "output_config"},
        "model": "claude-haiku-4-5",
        "max_tokens": 64_000,
        "thinking": {"type": "enabled", "budget_tokens": 20_000},
        "messages": [
            ANTHROPIC["messages"][0],
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}, *SAID]},
            {"role": "user", "content": [*RESULTS, text("Quickly!"), reminder, last]},
        ],
    }


def test_invoke_model_gets_anthropic_s_body_in_its_envelope() -> None:
    body = written(talk(), Format.BEDROCK_INVOKE, "us.anthropic.claude-opus-4-8")
    inner = {name: value for name, value in ANTHROPIC.items() if name not in ("model", "stream")}
    assert body == {"anthropic_version": "bedrock-2023-05-31", **inner}


URL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
FUNCTIONS = [
    {"type": "function", "function": {"name": "Read", "description": "Reads a file.", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "List", "description": "Lists files.", "parameters": NOTHING}},
]
CALLS = [
    {"id": "toolu_1", "type": "function", "function": {"name": "Read", "arguments": '{"path": "a.png"}'}},
    {"id": "toolu_2", "type": "function", "function": {"name": "List", "arguments": "{}"}},
]
CHAT: dict[str, Any] = {
    "model": "mystery",
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 4096,
    "temperature": 0.5,
    "stop": ["END"],
    "user": USER,
    "tools": FUNCTIONS,
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "messages": [
        {"role": "system", "content": "Be brief.\n\nUse tools."},
        {"role": "user", "content": [text("Look at both."), URL]},
        {"role": "assistant", "content": "I will.", "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "here\n[image: in the next message]"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "[tool error]\nno such file"},
        {"role": "user", "content": [text("[image of tool call toolu_1]"), URL, text("Quickly!")]},
        {"role": "system", "content": "It is noon."},
        {"role": "user", "content": "Go on."},
    ],
}


def test_a_chat_server_gets_results_right_behind_their_calls_and_pictures_after_them() -> None:
    assert written(talk(), Format.OPENAI_CHAT, "mystery") == CHAT


def test_openai_s_reasoning_models_get_their_own_names_for_fields() -> None:
    messages = [{**m, "role": "developer"} if m["role"] == "system" else m for m in CHAT["messages"]]
    left_out = ("max_tokens", "temperature", "stop")
    assert written(talk(), Format.OPENAI_CHAT, "gpt-5.5") == {
        **{name: value for name, value in CHAT.items() if name not in left_out},
        "model": "gpt-5.5",
        "max_completion_tokens": 4096,
        "reasoning_effort": "high",
        "prompt_cache_key": "key-1",
        "messages": messages,
    }


def test_claude_behind_a_router_gets_its_cache_marks() -> None:
    body = written(talk(), Format.OPENAI_CHAT, "anthropic/claude-opus-5.5", provider="openrouter")
    assert body["reasoning"] == {"effort": "high"}
    assert body["tools"][0]["cache_control"] == FIVE
    assert body["messages"][0]["content"] == [text("Be brief."), {**text("Use tools."), "cache_control": HOUR}]
    assert body["messages"][-1]["content"] == [{**text("Go on."), "cache_control": FIVE}]


@pytest.mark.parametrize(("model", "back"), [("deepseek-v4-pro", True), ("mystery", False)])
def test_a_chat_model_gets_its_reasoning_back_where_it_wants_it(model: str, back: bool) -> None:
    thought = Thinking("Hm.", Seal("chat.reasoning", "", Home("main", model)))
    message = written(talk(thought), Format.OPENAI_CHAT, model)["messages"][2]
    assert message == {**CHAT["messages"][2], **({"reasoning_content": "Hm."} if back else {})}


def test_a_chat_server_gets_no_name_of_a_dialect_of_schemas() -> None:
    tool = Tool("Read", schema={"$schema": "http://json-schema.org/draft-07/schema#", **SCHEMA})
    body = written(replace(talk(), tools=(tool,)), Format.OPENAI_CHAT, "mystery")
    assert body["tools"][0]["function"]["parameters"] == SCHEMA


def said(role: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content)}


def heard(words: str) -> dict[str, str]:
    return {"type": "input_text", "text": words}


SEEN = {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "auto"}
RESPONSES: dict[str, Any] = {
    "model": "gpt-5.5",
    "store": False,
    "stream": True,
    "max_output_tokens": 4096,
    "safety_identifier": USER,
    "prompt_cache_key": "key-1",
    "include": ["reasoning.encrypted_content"],
    "reasoning": {"effort": "high", "summary": "auto"},
    "tools": [{"type": "function", **tool["function"], "strict": False} for tool in FUNCTIONS],  # type: ignore[dict-item]
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "instructions": "Be brief.\n\nUse tools.",
    "input": [
        said("user", heard("Look at both."), SEEN),
        said("assistant", {"type": "output_text", "text": "I will."}),
        {"type": "function_call", "call_id": "toolu_1", "name": "Read", "arguments": '{"path": "a.png"}'},
        {"type": "function_call", "call_id": "toolu_2", "name": "List", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "toolu_1", "output": [heard("here"), SEEN]},
        {"type": "function_call_output", "call_id": "toolu_2", "output": "[tool error]\nno such file"},
        said("user", heard("Quickly!")),
        said("developer", heard("It is noon.")),
        said("user", heard("Go on.")),
    ],
}


def test_the_responses_api_gets_items_and_keeps_nothing() -> None:
    assert written(talk(), Format.OPENAI_RESPONSES, "gpt-5.5") == RESPONSES


@pytest.mark.parametrize("model", ["gpt-4.1", "mystery"])
def test_only_reasoning_models_are_asked_for_reasoning(model: str) -> None:
    body = written(talk(), Format.OPENAI_RESPONSES, model)
    expected = {name: value for name, value in RESPONSES.items() if name not in ("include", "reasoning")}
    assert body == {**expected, "model": model, "temperature": 0.5}


def test_a_summary_of_thoughts_is_asked_for_where_they_are_to_be_shown() -> None:
    asked = replace(talk(), reasoning=Reasoning("adaptive", effort="high", shown=True))
    body = written(asked, Format.OPENAI_RESPONSES, "gpt-5.5")
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}


def test_the_responses_api_gets_its_own_reasoning_back() -> None:
    item = {"id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    for home, back in ((None, True), (Home("main", "gpt-5.5"), True), (Home("main", "gpt-5.1"), False)):
        thought = Thinking("", Seal("openai.reasoning", json.dumps(item), home))
        body = written(talk(thought), Format.OPENAI_RESPONSES, "gpt-5.5")
        assert body["input"][1:2] == ([{"type": "reasoning", **item}] if back else RESPONSES["input"][1:2])


INLINE = {"inlineData": {"mimeType": "image/png", "data": "iVBO"}}
GEMINI: dict[str, Any] = {
    "tools": [
        {
            "functionDeclarations": [
                {"name": "Read", "description": "Reads a file.", "parametersJsonSchema": SCHEMA},
                {"name": "List", "description": "Lists files."},
            ]
        }
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Use tools."}]},
    "generationConfig": {
        "maxOutputTokens": 4096,
        "temperature": 0.5,
        "stopSequences": ["END"],
        "thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True},
    },
    "contents": [
        {"role": "user", "parts": [{"text": "Look at both."}, INLINE]},
        {
            "role": "model",
            "parts": [
                {"text": "I will."},
                # Google's word for a call that another maker's model made; the first of a turn has to have one.
                {
                    "functionCall": {"id": "toolu_1", "name": "Read", "args": {"path": "a.png"}},
                    "thoughtSignature": "skip_thought_signature_validator",
                },
                {"functionCall": {"id": "toolu_2", "name": "List", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "toolu_1", "name": "Read", "response": {"output": "here"}}},
                {"functionResponse": {"id": "toolu_2", "name": "List", "response": {"error": "no such file"}}},
                {"text": "[image of tool call toolu_1]"},
                INLINE,
                {"text": "Quickly!"},
                {"text": "<system-reminder>\nIt is noon.\n</system-reminder>"},
                {"text": "Go on."},
            ],
        },
    ],
}


def test_gemini_gets_responses_as_objects_and_a_word_for_missing_signatures() -> None:
    assert written(talk(), Format.GEMINI, "gemini-3-pro-preview") == GEMINI


def test_an_older_gemini_gets_a_budget_and_no_word_for_signatures() -> None:
    body = written(replace(talk(), reasoning=Reasoning("budget", 2048)), Format.GEMINI, "gemini-2.5-flash")
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 2048, "includeThoughts": True}
    assert "thoughtSignature" not in json.dumps(body)


def test_gemini_gets_its_signatures_back_where_they_were() -> None:
    turns = list(talk().turns)
    call = Call("toolu_1", "Read", "{}", seal=Seal("gemini.signature", "CiQB"))
    turns[1] = Turn("assistant", (call, Call("toolu_2", "List")))
    body = written(replace(talk(), turns=tuple(turns)), Format.GEMINI, "gemini-3-pro-preview")
    assert [part.get("thoughtSignature") for part in body["contents"][1]["parts"]] == ["CiQB", None]


def test_gemini_gets_a_schema_for_its_answer() -> None:
    settings = written(replace(talk(), output=Output(SCHEMA)), Format.GEMINI, "gemini-3-pro-preview")[
        "generationConfig"
    ]
    assert (settings["responseMimeType"], settings["responseJsonSchema"]) == ("application/json", SCHEMA)


SHOWN = {"image": {"format": "png", "source": {"bytes": "iVBO"}}}


def spec(name: str, schema: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"toolSpec": {"name": name, **more, "inputSchema": {"json": schema}}}


CONVERSE: dict[str, Any] = {
    "inferenceConfig": {"maxTokens": 4096, "temperature": 0.5, "stopSequences": ["END"]},
    "toolConfig": {
        "tools": [spec("Read", SCHEMA, description="Reads a file."), spec("List", NOTHING, description="Lists files.")],
        "toolChoice": {"auto": {}},
    },
    "system": [{"text": "Be brief."}, {"text": "Use tools."}],
    "messages": [
        {"role": "user", "content": [{"text": "Look at both."}, SHOWN]},
        {
            "role": "assistant",
            "content": [
                {"text": "I will."},
                {"toolUse": {"toolUseId": "toolu_1", "name": "Read", "input": {"path": "a.png"}}},
                {"toolUse": {"toolUseId": "toolu_2", "name": "List", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "here"}, SHOWN]}},
                {"toolResult": {"toolUseId": "toolu_2", "content": [{"text": "no such file"}], "status": "error"}},
                {"text": "Quickly!"},
                {"text": "<system-reminder>\nIt is noon.\n</system-reminder>"},
                {"text": "Go on."},
            ],
        },
    ],
}


def test_converse_gets_its_own_words_for_everything() -> None:
    assert written(talk(), Format.BEDROCK_CONVERSE, "amazon.nova-pro-v1:0") == CONVERSE


@pytest.mark.parametrize("change", [{"tools": ()}, {"choice": Choice("none")}])
def test_converse_gets_the_names_of_tools_that_were_called_where_none_are_shown(change: dict[str, Any]) -> None:
    body = written(replace(talk(), **change), Format.BEDROCK_CONVERSE, "amazon.nova-pro-v1:0")
    assert body["toolConfig"]["tools"] == [spec("Read", NOTHING), spec("List", NOTHING)]
    assert body["messages"] == CONVERSE["messages"]
    alone = replace(talk(), turns=(Turn("user", (Text("hi"),)),), **change)
    assert "toolConfig" not in written(alone, Format.BEDROCK_CONVERSE, "amazon.nova-pro-v1:0")


def test_claude_behind_converse_gets_cache_points_and_thinks() -> None:
    body = written(talk(), Format.BEDROCK_CONVERSE, "us.anthropic.claude-opus-4-8")
    assert body["additionalModelRequestFields"] == {
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
    }
    assert "temperature" not in body["inferenceConfig"]
    assert body["system"][-1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}
    assert body["messages"][-1]["content"][-1] == {"cachePoint": {"type": "default"}}


OLLAMA: dict[str, Any] = {
    "model": "qwen3:8b",
    "stream": True,
    "keep_alive": "30m",
    "truncate": False,
    "options": {"num_ctx": 32_768, "num_predict": 4096, "temperature": 0.5, "stop": ["END"]},
    "think": True,
    "tools": FUNCTIONS,
    "messages": [
        {"role": "system", "content": "Be brief.\n\nUse tools."},
        {"role": "user", "content": "Look at both.", "images": ["iVBO"]},
        {
            "role": "assistant",
            "content": "I will.",
            "tool_calls": [
                {"function": {"name": "Read", "arguments": {"path": "a.png"}}},
                {"function": {"name": "List", "arguments": {}}},
            ],
        },
        {"role": "tool", "tool_name": "Read", "content": "here", "images": ["iVBO"]},
        {"role": "tool", "tool_name": "List", "content": "[tool error]\nno such file"},
        {"role": "user", "content": "Quickly!"},
        {"role": "system", "content": "It is noon."},
        {"role": "user", "content": "Go on."},
    ],
}


def test_ollama_gets_its_context_size_and_may_cut_nothing_off() -> None:
    assert written(talk(), Format.OLLAMA, "qwen3:8b", context=32_768) == OLLAMA


@pytest.mark.parametrize(("model", "think"), [("qwen3:8b", True), ("gpt-oss:20b", "high"), ("llama3.3", None)])
def test_ollama_s_models_are_asked_to_think_in_the_way_they_know(model: str, think: object) -> None:
    assert written(talk(), Format.OLLAMA, model).get("think") == think
    quiet = replace(talk(), reasoning=Reasoning("off"))
    assert written(quiet, Format.OLLAMA, model).get("think") == {True: False, "high": "low", None: None}[think]


@pytest.mark.parametrize("arguments", ["", "{}", '{"a": {"b": [1]}}'])
def test_arguments_are_objects_where_they_must_be_and_text_where_it_must_be_that(arguments: str) -> None:
    c = replace(talk(), turns=(Turn("user", (Text("hi"),)), Turn("assistant", (Call("toolu_1", "Read", arguments),))))
    given = json.loads(arguments or "{}")
    assert written(c, Format.OLLAMA, "qwen3:8b")["messages"][2]["tool_calls"][0]["function"]["arguments"] == given
    assert written(c, Format.GEMINI, "gemini-2.5-pro")["contents"][1]["parts"][0]["functionCall"]["args"] == given
    chat = written(c, Format.OPENAI_CHAT, "mystery")["messages"][2]["tool_calls"][0]["function"]["arguments"]
    assert chat == (arguments or "{}")
