"""Whatever a client says arrives at the lane, in each of the 28 pairs of formats, or is named among the changes.

Requests are put together by `said` as each client's documents say, and what a lane gets is read here by the documents of
its provider, so that a reader and a writer of ours which are wrong in the same way are found out.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.said import Asked, Given, Picture, Round, Story, body_of, same_json, stories

from lynkr.changes import Changes
from lynkr.conversation import Call, Home
from lynkr.document import Document
from lynkr.formats import CODECS, SPEECHES
from lynkr.lane import Format
from lynkr.target import Capabilities, Target
from lynkr.translate.request import patch, write
from lynkr.upstream.fit import fit

ANTHROPIC, CHAT, RESPONSES, GEMINI, OLLAMA, CONVERSE, INVOKE, VERTEX = SPEECHES
HOME = Home("a-lane", "its-model")
PAIRS = pytest.mark.parametrize(("client", "lane"), list(itertools.product(CODECS, SPEECHES)))
some = settings(max_examples=60, deadline=None)

# A model that takes everything. Two formats have no place for a system message in the middle.
ALL = Capabilities(
    thinking=frozenset({"adaptive", "budget", "between_tools", "off"}),
    efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    media=frozenset({"image", "document", "audio", "video"}),
    cache_marks=True,
)
TAKES = {lane: replace(ALL, system_turns=lane not in (GEMINI, CONVERSE)) for lane in SPEECHES}


@dataclass
class Speech:
    """What one speaker says until another does: `words` run together, results and calls in their order."""

    speaker: str
    words: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    results: list[Given] = field(default_factory=list)


@dataclass
class Arrived:
    """What a lane was asked. `items` are (kind, value) in the order of the wire."""

    system: list[str]
    items: list[tuple[str, Any]]
    tools: list[tuple[str, str, dict[str, Any]]]
    choice: str | None
    parallel: bool | None
    settings: dict[str, Any]


def arrived(client: Format, lane: Format, story: Story) -> tuple[Arrived, dict[str, str]]:
    """What of `story` reaches the lane, and the changes that were noted."""
    changes = Changes()
    conversation = replace(CODECS[client].read_request(body_of(client, story)), stream=story.stream)
    target = Target(HOME, TAKES[lane])
    body = json.loads(write(conversation, SPEECHES[lane], target, fit, changes).body)
    return READERS[lane](body), {change.what: change.did for change in changes.listed()}


# --- what a lane reads, by its provider's documents ---


def texts(content: Any) -> Iterator[str]:
    """The texts of content that is a string or a list of blocks with texts."""
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if "text" in block:
            yield block["text"]


def named(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {ours: values[theirs] for ours, theirs in names.items() if theirs in values}


def chosen(choice: Any, names: dict[str, str]) -> str | None:
    if isinstance(choice, dict):
        name = choice.get("name") or choice.get("function", {}).get("name")
        return f"={name}" if name else names.get(choice.get("type", ""))
    return names.get(choice)


def anthropic(body: dict[str, Any]) -> Arrived:
    items = list[tuple[str, Any]]()
    for message in body["messages"]:
        role = {"assistant": "model", "system": "told"}.get(message["role"], "user")
        content = message["content"]
        assert content, "an empty message is refused"
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match block["type"]:
                case "text":
                    assert block["text"].strip(), "an empty text is refused"
                    items.append((role, block["text"]))
                case "image":
                    items.append((f"{role} shows", block["source"]["data"]))
                case "tool_use":
                    items.append(("asks", (block["id"], block["name"], json.dumps(block["input"]))))
                case "tool_result":
                    inner = block.get("content", "")
                    shown = [b["source"]["data"] for b in inner if isinstance(b, dict) and b["type"] == "image"]
                    said = tuple(texts(inner))
                    items.append(("gives", Given(block["tool_use_id"], "", said, pictures(shown), "is_error" in block)))
    choice = body.get("tool_choice", {})
    single = choice.get("disable_parallel_tool_use")
    return Arrived(
        list(texts(body.get("system"))),
        items,
        [(t["name"], t.get("description", ""), t["input_schema"]) for t in body.get("tools", [])],
        chosen(choice, {"auto": "auto", "any": "any", "none": "none"}),
        None if single is None else not single,
        named(body, {"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k",
                     "stop": "stop_sequences", "stream": "stream"}),
    )  # fmt: skip


def pictures(data: list[str]) -> tuple[Picture, ...]:
    return tuple(Picture(each) for each in data)


def from_url(url: str) -> str:
    return url.partition(";base64,")[2]


def chat(body: dict[str, Any]) -> Arrived:
    system, items = list[str](), list[tuple[str, Any]]()
    for n, message in enumerate(body["messages"]):
        role = {"assistant": "model", "system": "told", "developer": "told"}.get(message["role"], message["role"])
        content = message["content"]
        if role == "told" and n == 0:
            system = list(texts(content))
        elif role == "tool":
            error = str(content).startswith(ERROR)
            items.append(("gives", Given(message["tool_call_id"], "", tuple(texts(content)), (), error)))
        else:
            items += [(role, said) for said in texts(content)]
            shown = [
                block["image_url"]["url"] for block in content or () if isinstance(block, dict) and "image_url" in block
            ]
            items += [(f"{role} shows", from_url(url)) for url in shown]
            for call in message.get("tool_calls", ()):
                function = call["function"]
                items.append(("asks", (call["id"], function["name"], json.dumps(json.loads(function["arguments"])))))
    tools = [tool["function"] for tool in body.get("tools", [])]
    return Arrived(
        system,
        items,
        [(t["name"], t.get("description", ""), t["parameters"]) for t in tools],
        chosen(body.get("tool_choice"), {"auto": "auto", "required": "any", "none": "none"}),
        body.get("parallel_tool_calls"),
        named(body, {"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p",
                     "stop": "stop", "seed": "seed", "presence": "presence_penalty", "frequency": "frequency_penalty",
                     "stream": "stream"}),
    )  # fmt: skip


def responses(body: dict[str, Any]) -> Arrived:
    items = list[tuple[str, Any]]()
    for item in body["input"]:
        match item["type"]:
            case "message":
                role = {"assistant": "model", "developer": "told"}.get(item["role"], item["role"])
                kind = "output_text" if role == "model" else "input_text"
                assert all(block["type"] in (kind, "input_image") for block in item["content"])
                items += [(role, said) for said in texts(item["content"])]
                shown = [block["image_url"] for block in item["content"] if "image_url" in block]
                items += [(f"{role} shows", from_url(url)) for url in shown]
            case "function_call":
                items.append(("asks", (item["call_id"], item["name"], json.dumps(json.loads(item["arguments"])))))
            case "function_call_output":
                output = item["output"]
                shown = [from_url(b["image_url"]) for b in output if isinstance(b, dict) and "image_url" in b]
                said = tuple(texts(output))
                error = bool(said) and said[0].startswith(ERROR)
                items.append(("gives", Given(item["call_id"], "", said, pictures(shown), error)))
    return Arrived(
        list(texts(body.get("instructions"))),
        items,
        [(t["name"], t.get("description", ""), t["parameters"]) for t in body.get("tools", [])],
        chosen(body.get("tool_choice"), {"auto": "auto", "required": "any", "none": "none"}),
        body.get("parallel_tool_calls"),
        named(body, {"max_tokens": "max_output_tokens", "temperature": "temperature", "top_p": "top_p",
                     "stream": "stream"}),
    )  # fmt: skip


def gemini(body: dict[str, Any]) -> Arrived:
    items = list[tuple[str, Any]]()
    for content in body["contents"]:
        assert content["parts"], "a content without parts is refused"
        for part in content["parts"]:
            match part:
                case {"functionCall": call}:
                    items.append(("asks", (call["id"], call["name"], json.dumps(call["args"]))))
                case {"functionResponse": given}:
                    ((key, said),) = given["response"].items()
                    items.append(("gives", Given(given["id"], given["name"], (said,), (), key == "error")))
                case {"inlineData": data}:
                    items.append((f"{content['role']} shows", data["data"]))
                case {"text": said}:
                    items.append((content["role"], said))
    config = body.get("toolConfig", {}).get("functionCallingConfig", {})
    names = config.get("allowedFunctionNames", [])
    declared = [tool for tools in body.get("tools", []) for tool in tools["functionDeclarations"]]
    return Arrived(
        [part["text"] for part in body.get("systemInstruction", {}).get("parts", [])],
        items,
        [(t["name"], t.get("description", ""), t.get("parametersJsonSchema", {})) for t in declared],
        f"={names[0]}" if names else config.get("mode", "").lower() or None,
        None,
        named(body.get("generationConfig", {}), {
            "max_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP", "top_k": "topK",
            "stop": "stopSequences", "seed": "seed", "presence": "presencePenalty", "frequency": "frequencyPenalty"}),
    )  # fmt: skip


def ollama(body: dict[str, Any]) -> Arrived:
    system, items = list[str](), list[tuple[str, Any]]()
    for n, message in enumerate(body["messages"]):
        role = {"assistant": "model", "system": "told"}.get(message["role"], message["role"])
        said, shown = message["content"], message.get("images", [])
        if role == "told" and n == 0:
            system.append(said)
        elif role == "tool":
            given = Given("", message["tool_name"], (said,), pictures(shown), said.startswith(ERROR))
            items.append(("gives", given))
        else:
            items += [(role, said), *((f"{role} shows", data) for data in shown)]
            for call in message.get("tool_calls", ()):
                function = call["function"]
                items.append(("asks", ("", function["name"], json.dumps(function["arguments"]))))
    tools = [tool["function"] for tool in body.get("tools", [])]
    names = {name: name for name in ("temperature", "top_p", "top_k", "stop", "seed")}
    names |= {"max_tokens": "num_predict", "presence": "presence_penalty", "frequency": "frequency_penalty"}
    return Arrived(
        system,
        items,
        [(t["name"], t["description"], t["parameters"]) for t in tools],
        None,
        None,
        named(body["options"], names) | named(body, {"stream": "stream"}),
    )


def converse(body: dict[str, Any]) -> Arrived:
    items = list[tuple[str, Any]]()
    for message in body["messages"]:
        role = {"assistant": "model"}.get(message["role"], message["role"])
        assert message["content"], "an empty message is refused"
        for block in message["content"]:
            match block:
                case {"text": said}:
                    assert said.strip(), "an empty text is refused"
                    items.append((role, said))
                case {"image": shown}:
                    items.append((f"{role} shows", shown["source"]["bytes"]))
                case {"toolUse": call}:
                    items.append(("asks", (call["toolUseId"], call["name"], json.dumps(call["input"]))))
                case {"toolResult": given}:
                    shown = [b["image"]["source"]["bytes"] for b in given["content"] if "image" in b]
                    said, error = tuple(texts(given["content"])), given.get("status") == "error"
                    items.append(("gives", Given(given["toolUseId"], "", said, pictures(shown), error)))
    config = body.get("toolConfig", {})
    specs = [tool["toolSpec"] for tool in config.get("tools", []) if "cachePoint" not in tool]
    choice = config.get("toolChoice", {})
    return Arrived(
        list(texts(body.get("system"))),
        items,
        [(t["name"], t.get("description", ""), t["inputSchema"]["json"]) for t in specs],
        f"={choice['tool']['name']}" if "tool" in choice else next(iter(choice), None),
        None,
        named(body.get("inferenceConfig", {}), {
            "max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"})
        | named(body.get("additionalModelRequestFields", {}), {"top_k": "top_k"}),
    )  # fmt: skip


READERS: dict[Format, Callable[[dict[str, Any]], Arrived]] = {
    ANTHROPIC: anthropic, CHAT: chat, RESPONSES: responses, GEMINI: gemini, OLLAMA: ollama, CONVERSE: converse,
    INVOKE: anthropic,
    VERTEX: anthropic,
}  # fmt: skip

ERROR = "[tool error]\n"
# What formats without a place for something say beside it.
_MARKS = re.compile(
    r"\[image: in the next message\]|\[image of tool call [^\]]*\]|</?system-reminder>|\[tool error\]|\(no output\)"
)
bare = partial(_MARKS.sub, "")


def speeches(items: list[tuple[str, Any]]) -> list[Speech]:
    """Items by speaker; a result belongs to what the user says, a call to what the model says. Blanks are nothing."""
    found = list[Speech]()
    for kind, value in items:
        if isinstance(value, str) and not bare(value).strip():
            continue
        speaker = {"gives": "user", "asks": "model"}.get(kind, kind.removesuffix(" shows"))
        if not found or found[-1].speaker != speaker:
            found.append(Speech(speaker))
        match kind:
            case "gives":
                found[-1].results.append(value)
                found[-1].pictures += [shown.data for shown in value.pictures]
            case "asks":
                found[-1].calls.append(value)
            case _ if kind.endswith(" shows"):
                found[-1].pictures.append(value)
            case _:
                found[-1].words.append(value)
    return found


def to_arrive(story: Story, lane: Format, *, models_pictures: bool) -> list[Speech]:
    items = list[tuple[str, Any]]()
    for said in story.rounds:
        speaker = "user" if said.speaker == "told" and not TAKES[lane].system_turns else said.speaker
        items += [("gives", given) for given in said.given]
        items += [(speaker, words) for words in said.words]
        if models_pictures or speaker != "model":
            items += [(f"{speaker} shows", shown.data) for shown in said.pictures]
        items += [("asks", (call.id, call.name, json.dumps(call.arguments))) for call in said.asked]
    return speeches(items)


def left_over(expected: Iterable[str], found: Iterable[str]) -> str | None:
    """What `found` says besides `expected`, in that order; None where something of it is missing."""
    text, at, rest = "\n".join(map(bare, found)), 0, ""
    for words in map(bare, expected):
        if words.strip():
            start = text.find(words, at)
            if start < 0:
                return None
            rest, at = rest + text[at:start], start + len(words)
    return (rest + text[at:]).strip()


def same_words(story: Story, lane: Format, found: Arrived, *, models_pictures: bool) -> dict[str, str]:
    """Holds what is said and shown, asked and given against the story. The calls' ids → the lane's."""
    assert left_over(story.system, found.system) == ""
    expected, there = to_arrive(story, lane, models_pictures=models_pictures), speeches(found.items)
    assert [speech.speaker for speech in there] == [speech.speaker for speech in expected]
    ids = dict[str, str]()
    for one, other in zip(expected, there, strict=True):
        assert left_over(one.words, other.words) == ""
        assert one.pictures == other.pictures
        assert [call[1:] for call in one.calls] == [call[1:] for call in other.calls]
        ids |= {mine[0]: theirs[0] for mine, theirs in zip(one.calls, other.calls, strict=True)}
        for mine, theirs in zip(one.results, other.results, strict=True):
            assert ids[mine.call_id] == theirs.call_id
            assert theirs.name in ("", mine.name)
            assert left_over(mine.words, theirs.words) == ""
            assert mine.error == theirs.error
    return ids


def same_tools(story: Story, lane: Format, found: Arrived) -> None:
    assert len(found.tools) == len(story.tools)
    for (name, words, schema), tool in zip(story.tools, found.tools, strict=True):
        if lane in (CHAT, OLLAMA):
            # Servers refuse a dialect that they do not know.
            schema = {key: value for key, value in schema.items() if key != "$schema"}
        assert tool[:2] == (name, words)
        assert same_json(tool[2], schema) or (not schema and tool[2] == {"type": "object", "properties": {}})


@PAIRS
@some
@given(st.data())
def test_what_is_said_arrives_or_is_named(client: Format, lane: Format, data: st.DataObject) -> None:
    story = data.draw(stories(client))
    found, noted = arrived(client, lane, story)
    models_pictures = not any("of the model" in what for what in noted)
    ids = same_words(story, lane, found, models_pictures=models_pictures)
    # Ollama has no ids, and some of Gemini's clients say none.
    if lane is not OLLAMA:
        assert len(set(ids.values())) == len(ids)
        assert (client is GEMINI and story.loose) or all(mine == theirs for mine, theirs in ids.items())
    for (before, _), (kind, _) in itertools.pairwise([("", None), *found.items]):
        assert kind != "gives" or before in ("asks", "gives"), "a result stands right behind its call"
    if "tools" not in noted and "tool_choice" not in noted:
        same_tools(story, lane, found)
    if (story.choice or "auto") != (found.choice or "auto"):
        assert "tool_choice" in noted
    if story.parallel is False and found.parallel is not False and story.choice != "none":
        assert "parallel tool calls off" in noted
    for name, value in story.settings.items():
        assert found.settings.get(name) == value or NOTED_AS.get(name, name) in noted
    if lane in (ANTHROPIC, CHAT, RESPONSES, OLLAMA):
        assert found.settings.get("stream", False) == story.stream


NOTED_AS = {"stop": "stop sequences", "presence": "presence_penalty", "frequency": "frequency_penalty"}
PICTURE = Picture("AAAA")
HI = Round("user", ("hi",))
CALL, GIVEN = Asked("c-1", "look", {}), Given("c-1", "look", ("so",), (PICTURE,))


@pytest.mark.parametrize("lane", SPEECHES)
def test_a_picture_of_the_model_s_own_arrives_or_is_named(lane: Format) -> None:
    found, noted = arrived(GEMINI, lane, Story((HI, Round("model", ("here",), (PICTURE,)), HI)))
    assert ("model shows", PICTURE.data) in found.items or any(what.startswith("image") for what in noted)


def test_converse_gets_pictures_from_the_user_only() -> None:
    """Its model in botocore: “You can only include images and documents if the role is user”."""
    found, _ = arrived(GEMINI, CONVERSE, Story((HI, Round("model", ("here",), (PICTURE,)), HI)))
    assert ("model shows", PICTURE.data) not in found.items


def test_converse_gets_words_beside_a_document() -> None:
    """Botocore again: with a document, “you must also include a ContentBlock with a text field”."""
    source = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "document", "source": source}]}]}
    target = Target(HOME, TAKES[CONVERSE])
    said = write(CODECS[ANTHROPIC].read_request(body), SPEECHES[CONVERSE], target, fit, Changes()).body
    assert {name for block in json.loads(said)["messages"][0]["content"] for name in block} == {"document", "text"}


def test_a_call_without_an_id_gets_none_that_is_taken() -> None:
    parts = [{"functionCall": {"name": "a"}}, {"functionCall": {"id": "call_1", "name": "b"}}]
    (turn,) = CODECS[GEMINI].read_request({"contents": [{"role": "model", "parts": parts}]}).turns
    assert len({part.id for part in turn.parts if isinstance(part, Call)}) == 2


def test_results_with_pictures_stand_together_at_gemini_s() -> None:
    calls = (CALL, Asked("c-2", "look", {}))
    given_back = (GIVEN, Given("c-2", "look", ("that",)))
    story = Story((HI, Round("model", asked=calls), Round("user", ("go on",), given=given_back)))
    conversation, target = CODECS[ANTHROPIC].read_request(body_of(ANTHROPIC, story)), Target(HOME, TAKES[GEMINI])
    body = json.loads(write(conversation, SPEECHES[GEMINI], target, fit, Changes()).body)
    kinds = ["functionResponse" in part for part in body["contents"][2]["parts"]]
    assert kinds == sorted(kinds, reverse=True)


@PAIRS
@pytest.mark.parametrize("loose", [False, True])
def test_what_says_nothing_breaks_nothing(client: Format, lane: Format, loose: bool) -> None:
    calls = Round("model", asked=(CALL,))
    rounds = (Round("user"), Round("model", ("",)), HI, Round("model"), Round("user", ("",)), calls,
              Round("user", given=(Given("c-1", "look"),)), Round("user", (" ", "")))  # fmt: skip
    found, _ = arrived(client, lane, Story(rounds, system=("", " ", ""), loose=loose))
    assert [(kind, value) for kind, value in found.items if isinstance(value, str) and value.strip()] == [
        ("user", "hi")
    ]
    assert [kind for kind, _ in found.items if kind in ("asks", "gives")] == ["asks", "gives"]


@PAIRS
def test_a_begun_answer_stays_the_last_word(client: Format, lane: Format) -> None:
    found, _ = arrived(client, lane, Story((HI, Round("model", ("It is “",)))))
    assert found.items[-1] == ("model", "It is “")


@pytest.mark.parametrize("lane", SPEECHES)
def test_nothing_to_be_written_stays_nothing(lane: Format) -> None:
    """A request for no tokens at all fills the cache; with a default in its place it would be answered, and billed."""
    found, noted = arrived(ANTHROPIC, lane, Story((HI,), settings={"max_tokens": 0}))
    assert found.settings["max_tokens"] == 0 or "output limit" in noted


def test_what_is_anthropic_s_alone_is_named() -> None:
    body = body_of(ANTHROPIC, Story((HI,), system=("x-anthropic-billing-header: cc_version=2;", "Be brief.")))
    changes = Changes()
    conversation = CODECS[ANTHROPIC].read_request({**body, "context_management": {"edits": []}})
    target = Target(HOME, TAKES[CHAT])
    said = chat(json.loads(write(conversation, SPEECHES[CHAT], target, fit, changes).body))
    assert said.system == ["Be brief."]
    assert {change.what for change in changes.listed()} == {"context_management", "billing header"}


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00", "\\udc80"])
def test_a_message_with_half_a_character_can_be_changed(half: str) -> None:
    """Clients cut texts in the middle of an emoji: what is patched is sent all the same, and stays JSON."""
    text = '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"system","content":"b%s"}]}'
    document = Document.read((text % half).encode())
    conversation = CODECS[ANTHROPIC].read_request(document.value)
    target = Target(Home("a-lane", "m"), replace(ALL, system_turns=False))
    patched = document.splice(patch(document, conversation, CODECS[ANTHROPIC], target, fit, Changes()))
    assert json.loads(f'"b{half}"') in json.dumps(json.loads(patched), ensure_ascii=False)
