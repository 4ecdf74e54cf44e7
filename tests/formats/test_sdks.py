"""The vendors' own SDKs understand what lynkr writes: what they give their users is what was said.

A small server sends what the writers made of an answer; each SDK reads it, streamed and whole. Streams come event by
event, also with a sign of life between any two, and end in an error where the provider gave up in the middle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import pytest
from scripts import Asked, Step, Upstream, stream, upstream, whole

from lynkr.answer import Answer, spread
from lynkr.changes import Changes
from lynkr.conversation import Call, Home, Seal, Text, Thinking
from lynkr.events import Delta, End, Event, Failed, Open, Refusal, Start, Stop
from lynkr.formats import CODECS
from lynkr.lane import Format
from lynkr.target import Label
from lynkr.usage import Usage

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")
genai = pytest.importorskip("google.genai")

LABEL = Label(Home("lane", "model"), "asked-model", "ours", 1_700_000_000)
ASK: dict[str, Any] = {"model": "asked-model", "messages": [{"role": "user", "content": "Say it."}]}
NESTED = {
    "path": "/tmp/ä 😀",
    "edits": [{"from": 'a"b\\', "to": "c\nd\u2028", "n": [1, 2.5, None, True]}],
    "deep": {"er": {}},
}
USAGE = Usage(input=10, cache_read=20, cache_write=5, output=7, reasoning=3)


@dataclass
class Seen:
    """What an SDK gives its user. `figures`: all of the prompt, what was cached of it, output, thoughts in that."""

    text: str = ""
    thoughts: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    stop: object = None
    figures: tuple[int, int, int, int] = (35, 20, 7, 3)
    name: tuple[str, str] = ("answer_1", "real-model")


def said(*parts: Text | Thinking | Call, stop: Stop = Stop.END) -> Answer:
    return Answer("answer_1", "real-model", parts, End(stop, USAGE))


CALLS = (Call("call_1", "edit", json.dumps(NESTED, ensure_ascii=False)), Call("call_2", "look_around", "{}"))
ANSWERS = {
    "text": said(Text("Grüße, 世界 😀.\n\u2028\n")),
    "thoughts": said(Thinking("First\nI think.", Seal("chat.reasoning", "")), Text("Then I speak.")),
    "calls": said(Text("I look."), *CALLS, stop=Stop.CALLS),
    "calls alone": said(*CALLS, stop=Stop.CALLS),
    "thoughts and calls": said(Thinking("Hm.", Seal("gemini.signature", "c2lnbmVk")), *CALLS, stop=Stop.CALLS),
    "nothing": said(),
    "length": said(Text("It goes on and"), stop=Stop.LENGTH),
    "refusal": said(Text("No."), stop=Stop.REFUSED),
}


def seen(answer: Answer) -> Seen:
    """What has to be seen of `answer`; why it ended is left to each format."""
    found = Seen()
    for part in answer.parts:
        match part:
            case Text():
                found.text += part.text
            case Thinking():
                found.thoughts += part.text
            case Call():
                found.calls.append((part.id, part.name, json.loads(part.arguments)))
    return found


class Sdk(Protocol):
    """A vendor's SDK, pointed at a URL. `STOPS` are its words for why an answer ended."""

    STOPS: ClassVar[dict[Stop, object]]

    def whole(self, url: str) -> Seen: ...

    def streamed(self, url: str) -> Seen: ...


class Anthropic:
    STOPS: ClassVar[dict[Stop, object]] = {
        Stop.END: "end_turn", Stop.CALLS: "tool_use", Stop.LENGTH: "max_tokens", Stop.REFUSED: "refusal",
    }  # fmt: skip

    def whole(self, url: str) -> Seen:
        with anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
            return self._seen(client.messages.create(**ASK, max_tokens=16))

    def streamed(self, url: str) -> Seen:
        with anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
            with client.messages.stream(**ASK, max_tokens=16) as events:
                text = "".join(events.text_stream)
                found = self._seen(events.get_final_message())
        assert text == found.text
        return found

    def _seen(self, message: Any) -> Seen:
        usage = message.usage
        prompt = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        return Seen(
            "".join(block.text for block in message.content if block.type == "text"),
            "".join(block.thinking for block in message.content if block.type == "thinking"),
            [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"],
            message.stop_reason,
            (prompt, usage.cache_read_input_tokens, usage.output_tokens, usage.output_tokens_details.thinking_tokens),
            (message.id, message.model),
        )


class Chat:
    STOPS: ClassVar[dict[Stop, object]] = {
        Stop.END: "stop", Stop.CALLS: "tool_calls", Stop.LENGTH: "length", Stop.REFUSED: "content_filter",
    }  # fmt: skip

    def whole(self, url: str) -> Seen:
        with openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) as client:
            return self._seen(client.chat.completions.create(**ASK))

    def streamed(self, url: str) -> Seen:
        found, calls = Seen(), dict[int, list[str]]()
        with openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) as client:
            options = {"include_usage": True}
            for chunk in client.chat.completions.create(**ASK, stream=True, stream_options=options):
                found.name = (chunk.id, chunk.model)
                found.figures = self._figures(chunk.usage) if chunk.usage else found.figures
                for choice in chunk.choices:
                    found.text += choice.delta.content or ""
                    found.thoughts += getattr(choice.delta, "reasoning_content", "")
                    found.stop = choice.finish_reason or found.stop
                    for call in choice.delta.tool_calls or []:
                        whole = calls.setdefault(call.index, ["", "", ""])
                        for n, piece in enumerate((call.id, call.function.name, call.function.arguments)):
                            whole[n] += piece or ""
        found.calls = [(name, tool, json.loads(arguments)) for name, tool, arguments in calls.values()]
        return found

    def _seen(self, completion: Any) -> Seen:
        (choice,) = completion.choices
        calls = choice.message.tool_calls or []
        return Seen(
            choice.message.content or "",
            getattr(choice.message, "reasoning_content", ""),
            [(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls],
            choice.finish_reason,
            self._figures(completion.usage),
            (completion.id, completion.model),
        )

    def _figures(self, usage: Any) -> tuple[int, int, int, int]:
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        thoughts = usage.completion_tokens_details.reasoning_tokens
        return usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens, thoughts


class Responses:
    STOPS: ClassVar[dict[Stop, object]] = {
        Stop.END: ("completed", None),
        Stop.CALLS: ("completed", None),
        Stop.LENGTH: ("incomplete", "max_output_tokens"),
        Stop.REFUSED: ("incomplete", "content_filter"),
    }

    def whole(self, url: str) -> Seen:
        with openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) as client:
            return self._seen(client.responses.create(model="asked-model", input="Say it."))

    def streamed(self, url: str) -> Seen:
        """From the last event; the SDK's own sum of the pieces must be the same."""
        text = thoughts = ""
        last: Any = None
        with openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) as client:
            with client.responses.stream(model="asked-model", input="Say it.") as events:
                for event in events:
                    if event.type == "response.output_text.delta":
                        text += event.delta
                        assert event.snapshot == text
                    elif event.type == "response.reasoning_summary_text.delta":
                        thoughts += event.delta
                    elif event.type == "response.failed":
                        raise openai.APIError(event.response.error.message, None, body=event.response.error.code)
                    last = event
        found = self._seen(last.response)
        assert (text, thoughts) == (found.text, found.thoughts)
        return found

    def _seen(self, response: Any) -> Seen:
        usage = response.usage
        details = response.incomplete_details
        pieces = [piece for item in response.output if item.type == "reasoning" for piece in item.summary]
        calls = [item for item in response.output if item.type == "function_call"]
        return Seen(
            response.output_text,
            "".join(piece.text for piece in pieces),
            [(call.call_id, call.name, json.loads(call.arguments)) for call in calls],
            (response.status, details and details.reason),
            (
                usage.input_tokens,
                usage.input_tokens_details.cached_tokens,
                usage.output_tokens,
                usage.output_tokens_details.reasoning_tokens,
            ),
            (response.id, response.model),
        )


class Gemini:
    STOPS: ClassVar[dict[Stop, object]] = {
        Stop.END: "STOP", Stop.CALLS: "STOP", Stop.LENGTH: "MAX_TOKENS", Stop.REFUSED: "SAFETY",
    }  # fmt: skip

    def whole(self, url: str) -> Seen:
        with genai.Client(api_key="none", http_options={"base_url": url}) as client:
            return self._seen([client.models.generate_content(model="asked-model", contents="Say it.")])

    def streamed(self, url: str) -> Seen:
        with genai.Client(api_key="none", http_options={"base_url": url}) as client:
            return self._seen(list(client.models.generate_content_stream(model="asked-model", contents="Say it.")))

    def _seen(self, answers: list[Any]) -> Seen:
        parts = [part for answer in answers for part in answer.candidates[0].content.parts or []]
        usage, last = answers[-1].usage_metadata, answers[-1]
        assert usage.total_token_count == 42
        thoughts = usage.thoughts_token_count
        return Seen(
            "".join(part.text for part in parts if part.text and not part.thought),
            "".join(part.text for part in parts if part.text and part.thought),
            [
                (part.function_call.id, part.function_call.name, part.function_call.args)
                for part in parts
                if part.function_call
            ],
            last.candidates[0].finish_reason.value,
            (
                usage.prompt_token_count,
                usage.cached_content_token_count,
                usage.candidates_token_count + thoughts,
                thoughts,
            ),
            (last.response_id, last.model_version),
        )


SDKS: dict[Format, Sdk] = {
    Format.ANTHROPIC: Anthropic(),
    Format.OPENAI_CHAT: Chat(),
    Format.OPENAI_RESPONSES: Responses(),
    Format.GEMINI: Gemini(),
}


def pieces(spoken: Format, events: Iterable[Event]) -> list[bytes]:
    writer = CODECS[spoken].AnswerWriter(LABEL, Changes())
    return [said for event in events if (said := writer.event(event))]


@contextmanager
def serving(steps: list[Step]) -> Iterator[Upstream]:
    """A server that says `steps` to whatever it is asked."""

    def script(asked: Asked) -> list[Step]:
        return steps

    with upstream(script) as up:
        yield up


everywhere = pytest.mark.parametrize("spoken", SDKS)
everything = pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)


def expected(spoken: Format, answer: Answer) -> Seen:
    return replace(seen(answer), stop=SDKS[spoken].STOPS[answer.end.stop])


@everything
@everywhere
def test_a_whole_answer_is_understood(spoken: Format, answer: Answer) -> None:
    with serving(whole(CODECS[spoken].write_answer(answer, LABEL, Changes()))) as up:
        assert SDKS[spoken].whole(up.url) == expected(spoken, answer)


@everything
@everywhere
def test_a_streamed_answer_is_understood(spoken: Format, answer: Answer) -> None:
    with serving(stream(pieces(spoken, spread(answer)))) as up:
        assert SDKS[spoken].streamed(up.url) == expected(spoken, answer)


@everywhere
def test_a_sign_of_life_between_any_two_events_disturbs_nobody(spoken: Format) -> None:
    answer, ping = ANSWERS["thoughts and calls"], CODECS[spoken].PING
    events = [ping, *(data for piece in pieces(spoken, spread(answer)) for data in (piece, ping))]
    with serving(stream(events)) as up:
        assert SDKS[spoken].streamed(up.url) == expected(spoken, answer)


@everywhere
def test_words_and_arguments_may_come_in_any_pieces(spoken: Format) -> None:
    answer = ANSWERS["calls"]
    events = list[Event]()
    for event in spread(answer):
        events += map(Delta, event.text) if isinstance(event, Delta) else [event]
    with serving(stream(pieces(spoken, events))) as up:
        assert SDKS[spoken].streamed(up.url) == expected(spoken, answer)


FAILURES = {
    Format.ANTHROPIC: anthropic.APIStatusError,
    Format.OPENAI_CHAT: openai.APIError,
    Format.OPENAI_RESPONSES: openai.APIError,
    Format.GEMINI: genai.errors.APIError,
}


@pytest.mark.parametrize("kind", ["overloaded", "rate_limit", "context", "server"])
@everywhere
def test_an_error_in_the_middle_of_a_stream_is_an_error(spoken: Format, kind: str) -> None:
    begun = [Start("answer_1", "real-model"), Open(Text("")), Delta("I was about to")]
    events = pieces(spoken, [*begun, Failed(Refusal(kind, "The provider gave up."))])
    with serving(stream(events)) as up:
        with pytest.raises(FAILURES[spoken], match=r"The provider gave up\."):
            SDKS[spoken].streamed(up.url)


@pytest.mark.parametrize(("kind", "name"), [
    ("rate_limit", "RateLimitError"), ("authentication", "AuthenticationError"), ("invalid", "BadRequestError"),
    ("not_found", "NotFoundError"), ("permission", "PermissionDeniedError"), ("overloaded", "InternalServerError"),
])  # fmt: skip
@everywhere
def test_a_refusal_has_its_own_kind_of_exception(spoken: Format, kind: str, name: str) -> None:
    status, body = CODECS[spoken].refusal_body(Refusal(kind, "It cannot be."))
    with serving(whole(body, status)) as up:
        with pytest.raises(FAILURES[spoken], match="It cannot be") as raised:
            SDKS[spoken].whole(up.url)
    if spoken is Format.GEMINI:
        assert raised.value.code == status
    else:
        assert name in {kind.__name__ for kind in type(raised.value).__mro__}


def test_a_freeform_call_comes_to_openais_sdk_as_one() -> None:
    patch = "*** Begin Patch\n+\tü\n*** End Patch\n"
    answer = said(
        Call("call_1", "apply_patch", patch, "custom"),
        Call("call_2", "spawn", "{}", namespace="agents"),
        stop=Stop.CALLS,
    )
    with serving(stream(pieces(Format.OPENAI_RESPONSES, spread(answer)))) as up:
        with openai.OpenAI(base_url=up.url + "/v1", api_key="none", max_retries=0) as client:
            events = list(client.responses.create(model="m", input="Say it.", stream=True))
    freeform, spawned = events[-1].response.output
    assert (freeform.type, freeform.call_id, freeform.input) == ("custom_tool_call", "call_1", patch)
    assert (spawned.type, spawned.name, spawned.namespace) == ("function_call", "spawn", "agents")
    assert "".join(event.delta for event in events if event.type == "response.custom_tool_call_input.delta") == patch
