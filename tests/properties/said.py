"""What models answer and what clients ask, made up: strategies that several tests share.

Texts hold whatever a wire can carry: control characters, what ends a line for some and not for others, halves of
surrogate pairs (clients cut an emoji in two), and what other layers use for marks.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, AnyStr

from hypothesis import strategies as st

from lynkr.answer import Answer, AnswerPart
from lynkr.conversation import Call, Seal, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Open, Ping, Start, Stop
from lynkr.lane import Format
from lynkr.usage import Usage

ANTHROPIC, CHAT, RESPONSES, GEMINI = Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI


def through_json(value: Any) -> Any:
    """What any JSON makes of `value`: two halves of a surrogate pair side by side are one character there."""
    return json.loads(json.dumps(value))


def same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same to the last detail: 1 is not 1.0, and keys have an order."""
    return json.dumps(one) == json.dumps(other)


NASTY = ["\ud83d", "\ude00", "😀", "\u2028\u0085\x0b", "\x00\x1f\x7f", '"\\', "\\ud83d", "\r\n\r\n", "data: x\n\n", "[DONE]",
         "\ufeff", "<system-reminder>", "null", " a "]  # fmt: skip
_ANY = st.text(st.characters(), min_size=1, max_size=6)
WORDS = st.one_of(_ANY, st.sampled_from(NASTY), st.lists(st.sampled_from(NASTY), max_size=3).map("x".join)).map(
    through_json
)
SOME_WORDS = WORDS.filter(lambda words: bool(words.strip()))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), WORDS
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(WORDS, JSON, max_size=3).map(through_json)
NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,12}", fullmatch=True)
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
BASE64 = st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode())


@st.composite
def arguments(draw: st.DrawFn) -> str:
    """The arguments of a call as a model may write them: in any spacing, escaped or not."""
    spacing = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
    return json.dumps(draw(OBJECTS), ensure_ascii=draw(st.booleans()), separators=spacing)


# --- answers ---

USAGES = st.builds(
    lambda n, m, h, r, out, thought: Usage(n, r, m, h, out + thought, thought), *[st.integers(0, 10**6)] * 6
)


@st.composite
def _of_openai(draw: st.DrawFn) -> Thinking:
    """Thoughts whose seal repeats their words, as OpenAI's reasoning items do."""
    words = draw(WORDS)
    summary = [{"type": "summary_text", "text": words}] if words else []
    item = {"id": draw(IDS), "summary": summary, "encrypted_content": draw(BASE64)}
    return Thinking(words, Seal("openai.reasoning", json.dumps(item, ensure_ascii=False)))


def _thoughts() -> st.SearchStrategy[Thinking]:
    """Thoughts as the readers of all formats tell them."""
    plain = st.builds(Thinking, WORDS, st.sampled_from([None, Seal("chat.reasoning", "")]))
    signed = st.builds(
        lambda said, data: Thinking(said, Seal("anthropic.signature", data)), WORDS | st.just(""), BASE64
    )
    redacted = st.builds(lambda data: Thinking("", Seal("anthropic.redacted", data)), BASE64)
    details = st.builds(lambda said, data: Thinking(said, Seal("chat.details", json.dumps([data]))), WORDS, OBJECTS)
    gemini = st.builds(lambda said, data: Thinking(said, Seal("gemini.signature", data)), WORDS | st.just(""), BASE64)
    return st.one_of(plain, signed, redacted, details, gemini, _of_openai(), st.just(Thinking("")))


CALLS = st.builds(Call, IDS, NAMES, arguments(), seal=st.none() | st.builds(Seal, st.just("gemini.signature"), BASE64))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Whole answers; the ids of their calls are their own."""
    one_part = st.one_of(st.builds(Text, WORDS), st.just(Text("")), _thoughts(), CALLS)
    parts = list[AnswerPart]()
    for n, part in enumerate(draw(st.lists(one_part, max_size=5))):
        parts.append(replace(part, id=f"{part.id}{n}") if isinstance(part, Call) else part)
    called = any(isinstance(part, Call) for part in parts)
    stop = Stop.CALLS if called and draw(st.booleans()) else draw(st.sampled_from(Stop))
    sequence = draw(WORDS) if stop is Stop.SEQUENCE else None
    end = End(stop, draw(st.none() | USAGES), sequence)
    return Answer(draw(st.sampled_from(["", "msg_1"])), draw(st.sampled_from(["", "a model"])), tuple(parts), end)


def cut(text: AnyStr, cuts: list[int]) -> list[AnyStr]:
    """`text` in pieces, none of them empty."""
    edges = [0, *sorted(n % (len(text) + 1) for n in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges) if start < end]


def events_of(answer: Answer, cuts: list[int], pings: bool = False) -> Iterator[Event]:
    """`answer` as a stream, its texts and arguments cut."""
    yield Start(answer.id, answer.model, answer.end.usage)
    for part in answer.parts:
        said = part.arguments if isinstance(part, Call) else part.text
        assert not isinstance(part, Thinking) or part.seal is None or part.seal.home is None
        yield Open(replace(part, arguments="") if isinstance(part, Call) else type(part)(""))
        for piece in cut(said, cuts):
            if pings:
                yield Ping()
            yield Delta(piece)
        yield Close(part.seal if isinstance(part, Thinking) else None)
    yield answer.end


CUTS = st.lists(st.integers(0, 100) | st.integers(0, 5000), max_size=6)


def ollama_lines(answer: Answer, cuts: list[int]) -> Iterator[dict[str, Any]]:
    """`answer` as Ollama streams it: calls whole and without ids."""
    for part in answer.parts:
        if isinstance(part, Call):
            call = {"function": {"name": part.name, "arguments": json.loads(part.arguments)}}
            yield {"model": "m", "message": {"role": "assistant", "content": "", "tool_calls": [call]}, "done": False}
            continue
        for said in cut(part.text, cuts):
            words = {"content": "", "thinking": said} if isinstance(part, Thinking) else {"content": said}
            yield {"model": "m", "message": {"role": "assistant", **words}, "done": False}
    yield {"model": "m", "message": {}, "done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 4}


def converse_events(answer: Answer, cuts: list[int]) -> Iterator[tuple[str, Any]]:
    """`answer` as Converse streams it: only a call's block has a start."""
    yield "messageStart", {"role": "assistant"}
    for n, part in enumerate(answer.parts):
        at = {"contentBlockIndex": n}
        if isinstance(part, Call):
            yield "contentBlockStart", {**at, "start": {"toolUse": {"toolUseId": part.id, "name": part.name}}}
            for said in cut(part.arguments, cuts):
                yield "contentBlockDelta", {**at, "delta": {"toolUse": {"input": said}}}
        else:
            for said in cut(part.text, cuts):
                delta = {"reasoningContent": {"text": said}} if isinstance(part, Thinking) else {"text": said}
                yield "contentBlockDelta", {**at, "delta": delta}
        if isinstance(part, Thinking):
            yield "contentBlockDelta", {**at, "delta": {"reasoningContent": {"signature": "c2ln"}}}
        yield "contentBlockStop", at
    yield "messageStop", {"stopReason": "end_turn"}
    yield "metadata", {"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}}


# Values of other types, and those that look like what is expected.
POISON = st.one_of(
    st.sampled_from([None, [], {}, [1], [[]], [None], "", "x", "²", 5, -1, 2.5, 1e999, True, {"a": []}, 2**70]), JSON
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) within a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def poisoned(draw: st.DrawFn, values: list[Any], *, left_out: bool) -> list[Any]:
    """JSON values with another one somewhere within them, or with a member left out."""
    values = through_json(values)
    found = [place for value in values for place in _places(value)]
    if found:
        container, key = found[draw(st.integers(0, len(found) - 1))]
        if left_out and isinstance(container, dict):
            del container[key]
        else:
            container[key] = draw(POISON)
    return values


# --- requests ---


@dataclass(frozen=True)
class Picture:
    data: str
    mime: str = "image/png"


@dataclass(frozen=True)
class Asked:
    """A call of the model's."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Given:
    """What a call gave."""

    call_id: str
    name: str
    words: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    error: bool = False


@dataclass(frozen=True)
class Round:
    """What one speaker says: `user`, `model` or `told` (a system message in the middle)."""

    speaker: str
    words: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    asked: tuple[Asked, ...] = ()
    given: tuple[Given, ...] = ()


@dataclass(frozen=True)
class Story:
    """A request in plain words. `choice` is a mode, or a tool's name behind `=`; `tools` are (name, words, schema).

    `loose` is how the client writes it: texts as strings where the format allows both, ids left out where it does.
    """

    rounds: tuple[Round, ...]
    system: tuple[str, ...] = ()
    tools: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    choice: str | None = None
    parallel: bool | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    stream: bool = False
    loose: bool = False


# What a format's own clients cannot say, and is left out of a story for them.
CANNOT: dict[Format, frozenset[str]] = {
    ANTHROPIC: frozenset({"seed", "presence", "frequency", "model's pictures"}),
    CHAT: frozenset({"top_k", "error", "pictures given", "model's pictures"}),
    RESPONSES: frozenset({"top_k", "stop", "seed", "presence", "frequency", "error", "model's pictures"}),
    GEMINI: frozenset({"parallel", "told"}),
}
_PICTURES = st.builds(Picture, BASE64, st.sampled_from(["image/png", "image/jpeg"]))
_SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "max_tokens": st.integers(1, 64_000),
    "temperature": st.sampled_from([0, 0.5, 1, 1.0]),
    "top_p": st.sampled_from([0.1, 1]),
    "top_k": st.integers(1, 99),
    "stop": st.lists(SOME_WORDS, min_size=1, max_size=3),
    "seed": st.integers(0, 2**31),
    "presence": st.sampled_from([-1.5, 0, 1]),
    "frequency": st.sampled_from([-1, 0, 0.5]),
}
_MAY_BE_EMPTY = st.lists(st.one_of(WORDS, st.just("")), max_size=2).map(tuple)
_PROPERTIES = st.dictionaries(
    WORDS,
    st.sampled_from([{"type": "string"}, {"enum": ["a", 1, None]}, {"$ref": "#/$defs/x"}, {"type": ["string", "null"]},
                     {"anyOf": [{"const": 1.0}, {"type": "array", "items": {}}], "description": "\u2028\ud800"}]),
    max_size=3,
)  # fmt: skip
SCHEMAS = st.one_of(
    st.just({}),
    st.builds(
        lambda properties, more: through_json({"type": "object", "properties": properties, **more}),
        _PROPERTIES,
        st.sampled_from([{}, {"additionalProperties": False}, {"$schema": "x", "$defs": {"x": {}}}, {"required": []}]),
    ),
)
_TOOLS = st.lists(st.tuples(NAMES, WORDS | st.just(""), SCHEMAS), max_size=3, unique_by=lambda tool: tool[0]).map(tuple)


@st.composite
def stories(draw: st.DrawFn, spoken: Format) -> Story:
    """Requests as a client of `spoken` could make them."""
    cannot = CANNOT[spoken]
    tools = draw(_TOOLS)
    names = st.sampled_from([name for name, _, _ in tools]) if tools else NAMES
    rounds, count = [Round("user", (draw(SOME_WORDS),))], itertools.count()
    for _ in range(draw(st.integers(1, 3))):
        rounds.append(Round("user", draw(_MAY_BE_EMPTY), draw(st.lists(_PICTURES, max_size=1).map(tuple))))
        if "told" not in cannot and draw(st.booleans()):
            rounds.append(Round("told", draw(_MAY_BE_EMPTY)))
        while draw(st.booleans()):
            asked = tuple(
                Asked(f"{draw(IDS)}-{next(count)}", draw(names), draw(OBJECTS)) for _ in range(draw(st.integers(0, 3)))
            )
            of_model = draw(st.lists(_PICTURES, max_size=1).map(tuple)) if "model's pictures" not in cannot else ()
            rounds.append(Round("model", draw(_MAY_BE_EMPTY), of_model, asked))
            if not asked:
                break
            given = tuple(draw(_given(call, cannot)) for call in asked)
            rounds.append(Round("user", draw(_MAY_BE_EMPTY), given=given))
    choice = draw(st.sampled_from([None, "auto", "any", "none", *(f"={name}" for name, _, _ in tools)]))
    return Story(
        rounds=tuple(rounds),
        system=draw(_MAY_BE_EMPTY),
        tools=tools,
        choice=choice if tools else None,
        parallel=draw(st.sampled_from([None, False, True])) if tools and "parallel" not in cannot else None,
        settings=draw(st.fixed_dictionaries({}, optional={k: v for k, v in _SETTINGS.items() if k not in cannot})),
        stream=draw(st.booleans()),
        loose=draw(st.booleans()),
    )


@st.composite
def _given(draw: st.DrawFn, call: Asked, cannot: frozenset[str]) -> Given:
    pictures = draw(st.lists(_PICTURES, max_size=1).map(tuple)) if "pictures given" not in cannot else ()
    return Given(call.id, call.name, draw(_MAY_BE_EMPTY), pictures, "error" not in cannot and draw(st.booleans()))


def body_of(spoken: Format, story: Story) -> dict[str, Any]:
    """The body with which a client of `spoken` asks for `story`, by its provider's documents."""
    return {ANTHROPIC: _anthropic, CHAT: _chat, RESPONSES: _responses, GEMINI: _gemini}[spoken](story)


def _named(story: Story, names: dict[str, str]) -> dict[str, Any]:
    """The story's settings under the names that a format has for them."""
    return {names[name]: value for name, value in story.settings.items()}


def _content(story: Story, words: tuple[str, ...], kind: str) -> str | list[dict[str, Any]]:
    if story.loose and len(words) < 2:
        return "".join(words)
    return [{"type": kind, "text": said} for said in words]


def _anthropic(story: Story) -> dict[str, Any]:
    def picture(shown: Picture) -> dict[str, Any]:
        return {"type": "image", "source": {"type": "base64", "media_type": shown.mime, "data": shown.data}}

    def given(result: Given) -> dict[str, Any]:
        content = _content(story, result.words, "text")
        if result.pictures:
            content = [*({"type": "text", "text": said} for said in result.words), *map(picture, result.pictures)]
        error = {"is_error": True} if result.error else {}
        return {"type": "tool_result", "tool_use_id": result.call_id, "content": content, **error}

    messages = list[dict[str, Any]]()
    for said in story.rounds:
        content = _content(story, said.words, "text")
        if said.given or said.asked or said.pictures:
            content = [
                *map(given, said.given),
                *({"type": "text", "text": words} for words in said.words),
                *map(picture, said.pictures),
                *({"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in said.asked),
            ]
        role = {"model": "assistant", "told": "system"}.get(said.speaker, "user")
        messages.append({"role": role, "content": content})
    body: dict[str, Any] = {"model": "a-model", "max_tokens": 4096, "messages": messages, "stream": story.stream}
    if story.system:
        body["system"] = _content(story, story.system, "text")
    if story.tools:
        body["tools"] = [{"name": n, "description": words, "input_schema": s} for n, words, s in story.tools]
    if story.choice or story.parallel is not None:
        mode, _, name = (story.choice or "auto").partition("=")
        body["tool_choice"] = {"type": "tool", "name": name} if name else {"type": mode}
    if story.parallel is not None:
        body["tool_choice"]["disable_parallel_tool_use"] = not story.parallel
    names = {name: name for name in ("max_tokens", "temperature", "top_p", "top_k")}
    return body | _named(story, names | {"stop": "stop_sequences"})


def _chat(story: Story) -> dict[str, Any]:
    def picture(shown: Picture) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": f"data:{shown.mime};base64,{shown.data}"}}

    other = "developer" if story.loose else "system"
    messages: list[dict[str, Any]] = [{"role": other, "content": said} for said in story.system]
    for said in story.rounds:
        messages += [
            {"role": "tool", "tool_call_id": given.call_id, "content": _content(story, given.words, "text")}
            for given in said.given
        ]
        if said.speaker == "model":
            content = _content(story, said.words, "text")
            message: dict[str, Any] = {"role": "assistant", "content": content or None}
            if said.asked:
                message["tool_calls"] = [
                    {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}}
                    for c in said.asked
                ]
            messages.append(message)
        elif said.words or said.pictures or not said.given:
            shown = [*map(picture, said.pictures)]
            content = _content(replace(story, loose=story.loose and not shown), said.words, "text")
            role = other if said.speaker == "told" else "user"
            messages.append({"role": role, "content": [*content, *shown] if shown else content})
    body: dict[str, Any] = {"model": "a-model", "messages": messages, "stream": story.stream}
    if story.tools:
        functions = [{"name": n, "description": words, "parameters": s} for n, words, s in story.tools]
        body["tools"] = [{"type": "function", "function": function} for function in functions]
    if story.choice:
        mode, _, name = story.choice.partition("=")
        one = {"type": "function", "function": {"name": name}}
        body["tool_choice"] = one if name else {"any": "required"}.get(mode, mode)
    if story.parallel is not None:
        body["parallel_tool_calls"] = story.parallel
    names = {name: name for name in ("temperature", "top_p", "stop", "seed")}
    names |= {"presence": "presence_penalty", "frequency": "frequency_penalty"}
    body |= _named(story, names | {"max_tokens": "max_tokens" if story.loose else "max_completion_tokens"})
    if story.loose and len(story.settings.get("stop", ())) == 1:
        body["stop"] = body["stop"][0]
    return body


def _responses(story: Story) -> dict[str, Any]:
    def picture(shown: Picture) -> dict[str, Any]:
        return {"type": "input_image", "image_url": f"data:{shown.mime};base64,{shown.data}", "detail": "auto"}

    def message(role: str, words: tuple[str, ...], pictures: tuple[Picture, ...] = ()) -> dict[str, Any]:
        content = _content(replace(story, loose=story.loose and not pictures), words, kinds.get(role, "input_text"))
        shown = [*map(picture, pictures)]
        return {"type": "message", "role": role, "content": [*content, *shown] if shown else content}

    kinds = {"assistant": "output_text"}
    leading = story.system if story.loose else story.system[1:]
    items = [message("developer", (said,)) for said in leading]
    for said in story.rounds:
        for given in said.given:
            output = message("user", given.words, given.pictures)["content"]
            items.append({"type": "function_call_output", "call_id": given.call_id, "output": output})
        if said.words or said.pictures or not (said.given or said.asked):
            role = {"model": "assistant", "told": "developer"}.get(said.speaker, "user")
            items.append(message(role, said.words, said.pictures))
        items += [
            {"type": "function_call", "call_id": c.id, "name": c.name, "arguments": json.dumps(c.arguments)}
            for c in said.asked
        ]
    body: dict[str, Any] = {"model": "a-model", "input": items, "stream": story.stream, "store": False}
    if story.system and not story.loose:
        body["instructions"] = story.system[0]
    if story.tools:
        functions = [{"name": n, "description": words, "parameters": s} for n, words, s in story.tools]
        body["tools"] = [{"type": "function", **function} for function in functions]
    if story.choice:
        mode, _, name = story.choice.partition("=")
        body["tool_choice"] = {"type": "function", "name": name} if name else {"any": "required"}.get(mode, mode)
    if story.parallel is not None:
        body["parallel_tool_calls"] = story.parallel
    return body | _named(story, {"max_tokens": "max_output_tokens", "temperature": "temperature", "top_p": "top_p"})


def _gemini(story: Story) -> dict[str, Any]:
    def picture(shown: Picture) -> dict[str, Any]:
        return {"inlineData": {"mimeType": shown.mime, "data": shown.data}}

    def given(result: Given) -> dict[str, Any]:
        key = "error" if result.error else "result" if story.loose else "output"
        said: dict[str, Any] = {"name": result.name, "response": {key: "\n".join(result.words)}}
        if result.pictures:
            said["parts"] = [*map(picture, result.pictures)]
        return {"functionResponse": said if story.loose else {"id": result.call_id, **said}}

    def asked(call: Asked) -> dict[str, Any]:
        said = {"name": call.name, "args": call.arguments}
        return {"functionCall": said if story.loose else {"id": call.id, **said}}

    contents = list[dict[str, Any]]()
    for said in story.rounds:
        words = [{"text": words} for words in said.words]
        parts = [*map(given, said.given), *words, *map(picture, said.pictures), *map(asked, said.asked)]
        contents.append({"role": "model" if said.speaker == "model" else "user", "parts": parts})
    body: dict[str, Any] = {"contents": contents}
    if story.system:
        body["systemInstruction"] = {"parts": [{"text": said} for said in story.system]}
    if story.tools:
        declared = [{"name": n, "description": words, "parametersJsonSchema": s} for n, words, s in story.tools]
        body["tools"] = [{"functionDeclarations": declared}]
    if story.choice:
        mode, _, name = story.choice.partition("=")
        config = {"mode": "ANY", "allowedFunctionNames": [name]} if name else {"mode": mode.upper()}
        body["toolConfig"] = {"functionCallingConfig": config}
    names = {"max_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP", "top_k": "topK"}
    names |= {"stop": "stopSequences", "seed": "seed", "presence": "presencePenalty", "frequency": "frequencyPenalty"}
    return body | ({"generationConfig": _named(story, names)} if story.settings else {})
