"""Fitting a request to its model: what was shaped for one is re-shaped for another, by the table of capabilities.

Pure, and blind to formats: it works on the conversation. What it changes at the end of a conversation (a forced choice,
a prefill) it says in words there, and what it changes elsewhere it changes the same way every turn, so that the prefix
stays the same. Everything is noted.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from operator import is_
from typing import Any, Literal

from lynkr.changes import Changes
from lynkr.conversation import (
    Call,
    Choice,
    Conversation,
    Media,
    Opaque,
    Part,
    Reasoning,
    Result,
    Sampling,
    Text,
    Thinking,
    Turn,
)
from lynkr.errors import ClientError
from lynkr.formats.values import dumps
from lynkr.target import Capabilities, Target
from lynkr.upstream.manners import mannered

# Tokens of thinking for each effort, and back: what Claude Code and litellm use for models that know only the other.
_BUDGETS = {"minimal": 1024, "low": 4096, "medium": 10_000, "high": 20_000, "xhigh": 32_000, "max": 48_000}
_LADDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Characters a token, at the most: dense code has 3 to 4, prose 4 to 5. A request that is too long even so is.
_CHARS_PER_TOKEN = 5
# And at the least, for what is left to an answer.
_DENSE = 3
_LEAST_ANSWER = 1024
_WHY = "this model has no such setting"


def fit(c: Conversation, target: Target, changes: Changes) -> Conversation:
    """The conversation as `target` takes it. Raises ClientError (context) where it is too long for it."""
    can = target.can
    c = _thinking(c, target, changes)
    c = _choice(c, can, changes)
    c = replace(c, sampling=_sampling(c, can, changes), stop=_stops(c, can, changes))
    c = _media(c, can, changes)
    c = _system_turns(c, can, changes)
    c = _at_the_end(c, can, changes)
    c = _tools(c, can, changes)
    c = _rest(c, can, changes)
    return _limits(mannered(c, target, changes), target, changes)


def _thinking(c: Conversation, target: Target, changes: Changes) -> Conversation:
    can = target.can
    asked = _mode(c.reasoning, can, changes)
    asked = _effort(asked, can, changes)
    if asked.mode == "off" and can.quiet_effort and asked.effort in _LADDER[_LADDER.index(can.quiet_effort) + 1 :]:
        changes.change("reasoning effort", f"{can.quiet_effort}: this model cannot leave thinking at more")
        asked = replace(asked, effort=can.quiet_effort)
    if asked.mode in ("budget", "adaptive") and can.leading_thinking and not _thoughts_lead(c, target):
        # Refused: while it thinks, the turn that goes on must begin with the model's own thoughts.
        changes.change("thinking", "off for this answer: the calls before it were made without this model's thoughts")
        asked = replace(asked, mode="off", budget=None)
    return replace(c, reasoning=asked)


def _mode(asked: Reasoning, can: Capabilities, changes: Changes) -> Reasoning:
    if asked.mode is None or asked.mode in can.thinking:
        return asked
    if asked.mode == "off":
        if "none" in can.efforts:
            return replace(asked, mode=None, effort="none")
        if "between_tools" in can.thinking:
            changes.change("thinking", "between tools only: this model cannot leave it")
            return replace(asked, mode="between_tools")
        if can.efforts:
            changes.change("thinking", "at the lowest effort: this model cannot leave it")
            return replace(asked, mode=None, effort=can.efforts[0])
        if can.thinking:
            changes.change("thinking", "on: this model cannot leave it")
        return replace(asked, mode=None)
    effort = asked.effort or (_effort_of(asked.budget) if asked.mode == "budget" else None)
    if "adaptive" in can.thinking:
        changes.change("thinking", "adaptive: this model sets its own budget")
        return replace(asked, mode="adaptive", budget=None, effort=effort if can.efforts else None)
    if "budget" in can.thinking:
        changes.change("thinking", "with a budget: this model does not set its own")
        return replace(asked, mode="budget", budget=_BUDGETS.get(effort or "high", _BUDGETS["high"]), effort=None)
    if can.efforts:
        if asked.mode == "budget":
            changes.change("thinking", "as an effort: this model takes no budget")
        shown = asked.shown is None or asked.shown
        return replace(asked, mode=None, budget=None, effort=effort, shown=shown)
    changes.drop("thinking", _WHY)
    return Reasoning()


def _effort(asked: Reasoning, can: Capabilities, changes: Changes) -> Reasoning:
    if asked.effort is None or asked.effort in can.efforts:
        return asked
    if not can.efforts:
        if asked.mode is None and asked.effort != "none" and "budget" in can.thinking:
            changes.change("reasoning effort", "as a budget: this model knows no efforts")
            return replace(asked, mode="budget", budget=_BUDGETS.get(asked.effort, _BUDGETS["high"]), effort=None)
        if asked.mode is None and asked.effort == "none" and "off" in can.thinking:
            return replace(asked, mode="off", effort=None)
        if asked.mode is None and asked.effort != "none" and "adaptive" in can.thinking:
            changes.change("reasoning effort", "thinking on: this model knows no efforts")
            return replace(asked, mode="adaptive", effort=None)
        if asked.effort != "none":
            changes.drop("reasoning effort", _WHY)
        elif can.thinking:
            changes.change("thinking", "on: this model cannot leave it")
        return replace(asked, effort=None)
    wanted = _LADDER.index(asked.effort) if asked.effort in _LADDER else _LADDER.index("high")
    nearest = min(can.efforts, key=lambda name: (abs(_LADDER.index(name) - wanted), _LADDER.index(name)))
    changes.change("reasoning effort", f"{nearest} for {asked.effort}")
    return replace(asked, effort=nearest)


def _effort_of(budget: int | None) -> str:
    return next((name for name, tokens in _BUDGETS.items() if (budget or 0) <= tokens), "max")


def _thoughts_lead(c: Conversation, target: Target) -> bool:
    """Whether the model's last turn, if it is still running tools, begins with thoughts that it made itself."""
    last = next((n for n in range(len(c.turns) - 1, -1, -1) if c.turns[n].role == "assistant"), None)
    if last is None or not any(isinstance(part, Call) for part in c.turns[last].parts):
        return True
    if not any(isinstance(part, Result) for turn in c.turns[last + 1 :] for part in turn.parts):
        return True
    first = c.turns[last].parts[0]
    return (
        isinstance(first, Thinking)
        and first.seal is not None
        and first.seal.kind.startswith("anthropic.")
        and first.seal.at(target.home)
    )


def _choice(c: Conversation, can: Capabilities, changes: Changes) -> Conversation:
    if c.choice is None or c.choice.mode != "any" or can.forced_choice == "always":
        return c
    if can.forced_choice == "quiet":
        if c.reasoning.mode not in ("adaptive", "budget"):
            return c
        changes.change("thinking", "off for this answer: this model cannot think when a tool is forced")
        return replace(c, reasoning=replace(c.reasoning, mode="off", budget=None))
    names = " or ".join(c.choice.only)
    words = f"Answer by calling the tool {names}." if names else "Answer by calling one of the tools."
    changes.change("tool_choice", "as words: this model refuses a forced tool")
    return replace(_with_words(c, words), choice=Choice("auto"))


def _sampling(c: Conversation, can: Capabilities, changes: Changes) -> Sampling:
    thinks = c.reasoning.mode in ("adaptive", "budget")
    if can.sampling == "always" or (can.sampling == "quiet" and not thinks):
        return c.sampling
    for name in Sampling.__dataclass_fields__:
        if getattr(c.sampling, name) is not None:
            changes.drop(name, "this model refuses it" if can.sampling == "never" else "refused while it thinks")
    return Sampling()


def _stops(c: Conversation, can: Capabilities, changes: Changes) -> tuple[str, ...]:
    if can.stops is None or len(c.stop) <= can.stops:
        return c.stop
    changes.drop("stop sequences", f"this model takes {can.stops or 'none'}")
    return c.stop[: can.stops]


def _media(c: Conversation, can: Capabilities, changes: Changes) -> Conversation:
    def image(part: Media) -> Media | Text:
        if part.kind in can.media:
            return part
        changes.drop(part.kind, "this model cannot look at it")
        return Text(f"[{part.kind} left out: this model cannot look at it]", part.cache)

    def seen(part: Part) -> Part:
        if isinstance(part, Media):
            return image(part)
        if isinstance(part, Result) and any(isinstance(inner, Media) for inner in part.parts):
            parts = tuple(image(p) if isinstance(p, Media) else p for p in part.parts)
            return part if all(map(is_, parts, part.parts)) else replace(part, parts=parts)
        return part

    def looked(turn: Turn) -> Turn:
        parts = tuple(map(seen, turn.parts))
        return turn if all(map(is_, parts, turn.parts)) else replace(turn, parts=parts)

    return replace(c, turns=tuple(map(looked, c.turns)))


def _system_turns(c: Conversation, can: Capabilities, changes: Changes) -> Conversation:
    if can.system_turns or not any(turn.role == "system" for turn in c.turns):
        return c

    def heard(turn: Turn) -> Turn:
        if turn.role != "system":
            return turn
        changes.change("system messages in between", "as the user's, in <system-reminder>")
        parts = tuple(
            replace(part, text=f"<system-reminder>\n{part.text}\n</system-reminder>")
            if isinstance(part, Text)
            else part
            for part in turn.parts
        )
        return replace(turn, role="user", parts=parts)

    return replace(c, turns=tuple(map(heard, c.turns)))


def _at_the_end(c: Conversation, can: Capabilities, changes: Changes) -> Conversation:
    if c.output is not None and c.output.schema is not None and not can.schema_output:
        changes.change("JSON output", "as words: this model takes no schema")
        words = f"Answer with JSON only, no other word, that fits this schema:\n{dumps(c.output.schema)}"
        c = replace(_with_words(c, words), output=None)
    return c if can.prefill else _without_prefill(c, changes)


def _without_prefill(c: Conversation, changes: Changes) -> Conversation:
    """With what the model is to go on from in words of the user's, where its own would be refused at the end."""
    end = len(c.turns)
    while end and c.turns[end - 1].role == "assistant" and not _calls(c.turns[end - 1]):
        end -= 1
    begun = "".join(part.text for turn in c.turns[end:] for part in turn.parts if isinstance(part, Text))
    c = replace(c, turns=c.turns[:end])
    if not begun.strip():
        return c
    changes.change("prefill", "as words: this model refuses a begun answer")
    words = (
        f"Your answer has already begun with the text below. Go on exactly where it ends; do not repeat it.\n\n{begun}"
    )
    return _with_words(c, words)


def _calls(turn: Turn) -> bool:
    return any(isinstance(part, Call) for part in turn.parts)


def _with_words(c: Conversation, words: str) -> Conversation:
    """With `words` at the very end, as the user's."""
    last = c.turns[-1] if c.turns else None
    if last is not None and last.role == "user" and not any(isinstance(part, Result) for part in last.parts):
        return replace(c, turns=(*c.turns[:-1], replace(last, parts=(*last.parts, Text(words)))))
    if last is not None and last.role == "assistant":
        # Before a begun answer, which has to stay the last.
        return replace(c, turns=(*c.turns[:-1], Turn("user", (Text(words),)), last))
    return replace(c, turns=(*c.turns, Turn("user", (Text(words),))))


def _tools(c: Conversation, can: Capabilities, changes: Changes) -> Conversation:
    """Without the tools that this lane's provider does not run."""
    taken = can.server_tools
    if taken is None or not any(isinstance(tool, Opaque) for tool in c.tools):
        return c

    def runs(tool: Opaque) -> bool:
        return any(fnmatchcase(tool.what.removeprefix("tool "), like) for like in taken)

    for tool in c.tools:
        if isinstance(tool, Opaque) and not runs(tool):
            changes.drop(tool.what, "this lane's provider does not run it")
    return replace(c, tools=tuple(tool for tool in c.tools if not isinstance(tool, Opaque) or runs(tool)))


def _rest(c: Conversation, can: Capabilities, changes: Changes) -> Conversation:
    rest = dict(c.rest)
    if c.reasoning.mode not in ("adaptive", "budget", "between_tools"):
        rest = _without_thoughts_cleared(rest, changes)
    if can.rest is None:
        if c.billing is not None and can.strange:
            changes.drop("billing header", "it is for Anthropic alone")
            c = replace(c, billing=None)
        return replace(c, rest=rest) if rest != c.rest else c
    for name in c.rest:
        if name not in can.rest:
            changes.drop(name, "this lane has no such field")
            rest.pop(name, None)
    if c.billing is not None:
        changes.drop("billing header", "it is for Anthropic alone")
    # How much to think from some message on is told for the whole request.
    turns = tuple(replace(turn, effort=None) if turn.effort else turn for turn in c.turns)
    return replace(c, rest=rest, billing=None, turns=turns)


def _without_thoughts_cleared(rest: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """`context_management` without the edit that is refused where there is no thinking."""
    management = rest.get("context_management")
    if not isinstance(management, dict) or not isinstance(edits := management.get("edits"), list):
        return rest
    kept = [e for e in edits if not (isinstance(e, dict) and str(e.get("type")).startswith("clear_thinking"))]
    if len(kept) == len(edits):
        return rest
    changes.drop("clear_thinking", "there is no thinking to clear")
    if kept:
        return {**rest, "context_management": {**management, "edits": kept}}
    return {name: value for name, value in rest.items() if name != "context_management"}


def _limits(c: Conversation, target: Target, changes: Changes) -> Conversation:
    can, most = target.can, target.can.max_output
    if can.context is not None:
        chars = size(c)
        if chars // _CHARS_PER_TOKEN > can.context:
            # Clients know some of these words, and compact (wire facts, section 2.3).
            raise ClientError(
                f"prompt is too long: about {chars // _CHARS_PER_TOKEN} tokens > {can.context} maximum context length "
                f"of {target.home.model} (lynkr: lane '{target.home.lane}'; raise its `context` if it takes more)",
                kind="context",
            )
        left = max(_LEAST_ANSWER, can.context - chars // _DENSE)
        most = left if most is None else min(most, left)
    if c.max_output is None and can.needs_limit and most is not None:
        c = replace(c, max_output=most)
    if most is None or c.max_output is None or c.max_output <= most:
        return _budget_within(c, can, changes)
    changes.change("output limit", f"{most} tokens for {c.max_output}")
    return _budget_within(replace(c, max_output=most), can, changes)


def _budget_within(c: Conversation, can: Capabilities, changes: Changes) -> Conversation:
    """A budget of thoughts is part of the answer's tokens, and must leave some for words."""
    budget, most = c.reasoning.budget, c.max_output
    if budget is None or most is None or budget < most:
        return c
    if most > _LEAST_ANSWER:
        changes.change("thinking", "a smaller budget: it must fit into the output limit")
        return replace(c, reasoning=replace(c.reasoning, budget=max(_LEAST_ANSWER, most // 2)))
    mode: Literal["off"] | None = "off" if "off" in can.thinking else None
    changes.change("thinking", f"{mode or 'as the model likes'}: the output limit leaves no room for a budget")
    return replace(c, reasoning=replace(c.reasoning, mode=mode, budget=None))


def size(c: Conversation) -> int:
    """The characters of a conversation that a model reads as text; pictures and sealed things count nothing."""
    count = sum(len(part.text) for part in c.system)
    for tool in c.tools:
        if not isinstance(tool, Opaque) and not tool.deferred:
            count += len(tool.name) + len(tool.description) + len(dumps(tool.schema or {}))
    return count + sum(_size(part) for turn in c.turns for part in turn.parts)


def _size(part: object) -> int:
    match part:
        case Text() | Opaque():
            return len(part.text)
        case Call():
            return len(part.arguments)
        case Result():
            return sum(map(_size, part.parts))
    return 0
