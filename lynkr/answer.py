"""An answer as a whole, and as the events that it would be streamed as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from lynkr.conversation import Call, Opaque, Seal, Text, Thinking
from lynkr.events import Close, Delta, End, Event, Failed, Open, Refusal, Start, Stop

AnswerPart = Text | Thinking | Call | Opaque


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. The seal of a Thinking stands in it; that of a Call as well."""

    id: str = ""
    model: str = ""
    parts: tuple[AnswerPart, ...] = ()
    end: End = field(default_factory=lambda: End(Stop.END))


class Refused(Exception):
    """The provider failed inside of an answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def spread(answer: Answer) -> Iterator[Event]:
    """The events of `answer`, one delta a part."""
    yield Start(answer.id, answer.model, answer.end.usage)
    for part in answer.parts:
        seal: Seal | None = None
        if isinstance(part, Text):
            yield Open(replace(part, text=""))
            said = part.text
        elif isinstance(part, Thinking):
            seal = part.seal
            yield Open(Thinking(""))
            said = part.text
        elif isinstance(part, Call):
            yield Open(replace(part, arguments=""))
            said = part.arguments
        else:
            yield Open(part)
            said = ""
        if said:
            yield Delta(said)
        yield Close(seal)
    yield answer.end


def gather(events: Iterable[Event]) -> Answer:
    """The answer that `events` tell. Raises Refused where the provider failed in the middle."""
    answer, parts = Answer(), list[AnswerPart]()
    said: list[str] = []
    part: AnswerPart | None = None
    for event in events:
        match event:
            case Start():
                answer = replace(answer, id=event.id, model=event.model)
            case Open():
                part, said = event.part, []
            case Delta():
                said.append(event.text)
            case Close():
                assert part is not None
                parts.append(_filled(part, "".join(said), event.seal))
                part = None
            case End():
                answer = replace(answer, end=event)
            case Failed():
                raise Refused(event.refusal)
    return replace(answer, parts=tuple(parts))


def _filled(part: AnswerPart, said: str, seal: Seal | None) -> AnswerPart:
    match part:
        case Text():
            return replace(part, text=said)
        case Thinking():
            return Thinking(said, seal)
        case Call():
            return replace(part, arguments=said, seal=seal or part.seal)
    return part
