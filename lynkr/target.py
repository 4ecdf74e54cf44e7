"""What a request is written for: the lane and model it goes to, and what that model can take.

Plain values; the table behind them is data of `upstream/capabilities`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lynkr.conversation import Home


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model takes. The defaults are those of a plain model that takes everything a format can say.

    `thinking`: the modes of Reasoning that may be said; `off` stands there where thinking can be turned off.
    `efforts`: names it knows, from low to high; empty where it knows none. `forced_choice` and `sampling`:
    `always`, `quiet` (only while it does not think) or `never`. `leading_thinking`: while it thinks, a turn with
    calls must begin with its own thoughts. `prefill`: whether an answer may be begun for it; `system_turns`:
    whether system messages may stand in the middle; `deferred_tools`: whether tools may be offered that are shown
    only later; `schema_output`: whether an answer can be bound to a schema. `media`: kinds it can look at.
    `max_output` and `context` in tokens. `stops`: how many stop sequences. `betas`: the values of `anthropic-beta`
    it knows, and what they are called there, `rest`: the fields of the request's `rest`, `server_tools`: patterns
    of tools that its provider runs; None means all. `needs_limit`: a request must say how many tokens the answer
    may have. `quiet_effort`: the highest effort at which thinking may be off, None for any. `takes`: the only
    members of a body that are taken, `refuses`: those that are not. `short_ids`: calls have ids of nine letters and
    digits. `wants_thoughts`: a turn with calls must have thoughts. `user_after_tools`: whether a user's words may
    follow results. `strict_tools`: whether tools may say `strict`.
    """

    thinking: frozenset[str] = frozenset()
    efforts: tuple[str, ...] = ()
    forced_choice: Literal["always", "quiet", "never"] = "always"
    sampling: Literal["always", "quiet", "never"] = "always"
    leading_thinking: bool = False
    prefill: bool = True
    system_turns: bool = True
    deferred_tools: bool = False
    schema_output: bool = True
    media: frozenset[str] = frozenset(("image", "document"))
    max_output: int | None = None
    context: int | None = None
    stops: int | None = None
    betas: Mapping[str, str] | None = None
    server_tools: tuple[str, ...] | None = None
    needs_limit: bool = False
    quiet_effort: str | None = None
    rest: tuple[str, ...] | None = None
    takes: frozenset[str] | None = None
    refuses: tuple[str, ...] = ()
    short_ids: bool = False
    wants_thoughts: bool = False
    user_after_tools: bool = True
    strict_tools: bool = True
    # How a format with variants is to be spoken to this model.
    cache_marks: bool = False  # whether it caches at breakpoints only, so that a request must have some
    output_limit: str = "max_tokens"  # chat: the field's name
    system_role: Literal["system", "developer"] = "system"  # chat
    effort_field: str = "reasoning_effort"  # chat: "" where no such field is taken
    cache_key: bool = False  # chat, responses: `prompt_cache_key`
    replays_reasoning: bool = False  # chat: `reasoning_content` of tool turns goes back
    plain_tools: bool = False  # responses: functions only, no freeform tools and no namespaces
    calls_need_seal: bool = False  # gemini: a call without a signature is refused

    @property
    def strange(self) -> bool:
        """Whether whoever is behind it is not the maker of its format, and may refuse what the maker takes."""
        return any(taken is not None for taken in (self.rest, self.betas, self.takes)) or bool(self.refuses)

    def unwelcome(self, name: str) -> bool:
        """Whether a body must not have a member of that name."""
        return name in self.refuses or (self.takes is not None and name not in self.takes)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes and what may be said there. `own` says that it is the client's own format."""

    home: Home
    can: Capabilities = Capabilities()
    own: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """What an answer of ours is labelled with: where it came from, the model that the client asked for, an id of its
    own, the time in seconds since 1970, whether a client that has to ask for figures did so, and whether the answer is
    a summary to be handed back sealed."""

    home: Home
    model: str
    id: str
    at: int = 0
    wants_usage: bool = True
    summary: bool = False
