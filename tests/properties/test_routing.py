"""Whatever a conversation does: a lane that rests is not asked, there is a lane or a reason, and routing never costs more.

The bill is reckoned here by the cache's own rules and in exact fractions: a lane reads what its last request wrote, if
that is no more than five minutes old, writes the rest, and is paid for every token of its answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from asked import (
    CHEAP,
    COMPLEX,
    MEDIUM,
    OPUS,
    SIMPLE,
    SONNET,
    STRONG,
    Session,
    Talk,
    Went,
    asked,
    begun,
    claude,
    claude_says,
    claude_title,
    lane,
    names,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lynkr import formats
from lynkr.health import Healths
from lynkr.lane import Auth, Format, Lane, Price
from lynkr.ledger.meter import Meter
from lynkr.ledger.prices import table
from lynkr.proxy.lanes import Lanes, Unserved
from lynkr.proxy.message import Request
from lynkr.proxy.outbound import Inbound
from lynkr.proxy.planning import Planning
from lynkr.routing import TIERS
from lynkr.routing.asking import marked, unmarked
from lynkr.routing.router import router
from lynkr.routing.settings import Routing, Rule
from lynkr.usage import Usage

few = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=250)

# --- the bill ---------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """What happens before a request: the user speaks (`prompt`) or a call is made. Tokens are counted, not made."""

    prompt: str | None
    result: str
    grows: int
    output: int
    pause: float


PROMPTS = st.sampled_from(
    [SIMPLE, MEDIUM, COMPLEX, "yes", "go on", "think hard about it", "run the tests", "is the password ok?", "commit and push",
     "Implement the following plan:\n\n# Plan: new parser\n\n- add the table\n- move the data\n- write tests\n"]
)  # fmt: skip
RESULTS = st.sampled_from(["ok", "ok", "error: no", "FAILED tests/a.py::b", "fatal: no", "panic: no", "exit status 1"])
PAUSES = st.sampled_from([1.0, 20.0, 20.0, 60.0, 299.9, 300.0, 301.0, 4000.0])
TOKENS = st.one_of(st.integers(0, 4000), st.integers(0, 40_000))
STEPS = st.lists(st.builds(Step, st.none() | PROMPTS, RESULTS, TOKENS, st.integers(0, 8000), PAUSES), max_size=40)
MEDIUM_IS_CHEAP = {"simple": ["cheap"], "medium": ["cheap"], "complex": ["strong"]}
MEDIUM_IS_STRONG = {"simple": ["cheap"], "medium": ["strong"], "complex": ["strong"], "reasoning": ["strong"]}


class Call(NamedTuple):
    """One request, as a provider would bill it."""

    lane: str
    at: float
    prompt: int
    output: int


def rates(model: str, prompt: int) -> tuple[Fraction, Fraction, Fraction]:
    """(write, read, output) in USD per million tokens, off the list."""
    entry = table().find(model)
    assert entry is not None
    price: Price = entry.at(prompt)
    assert price.cache_write is not None and price.cache_read is not None
    return Fraction(str(price.cache_write)), Fraction(str(price.cache_read)), Fraction(str(price.output))


class Caches(dict[str, tuple[int, float]]):
    """What each lane has written, and when it was last used."""

    def read(self, call: Call) -> int:
        """The tokens of a call that its lane reads; the rest it writes."""
        tokens, at = self.get(call.lane, (0, 0.0))
        self[call.lane] = call.prompt, call.at
        return min(tokens, call.prompt) if call.at - at < 300 else 0


def bill(calls: Sequence[Call], models: dict[str, str]) -> Iterator[Fraction]:
    """The bill after each call."""
    caches, usd = Caches(), Fraction(0)
    for call in calls:
        read = caches.read(call)
        write_rate, read_rate, output_rate = rates(models[call.lane], call.prompt)
        usd += read * read_rate + (call.prompt - read) * write_rate + call.output * output_rate
        yield usd


def played(
    session: Session, first: str, steps: Sequence[Step], start: int, kept: float, off: float, told: bool
) -> list[tuple[Went, Call]]:
    """Plays a conversation; a share `kept` of each answer is sent again, and sizes are guessed wrong by `off`; answers say
    what was read from a cache if `told`."""
    talk, prompt, output, caches = begun(first), start, 500, Caches()
    found = []
    for step in (None, *steps):
        if step is not None:
            talk = talk.calls(step.result) if step.prompt is None else talk.answers().says(step.prompt)
            prompt, output = prompt + int(kept * output) + step.grows, step.output
        ask = session.ask(talk, step.pause if step else 0.0, max(1, int(prompt * off)))
        plan = session.desk.plan(ask)
        route = plan.routes[0]
        call = Call(route.lane.name, session.now, prompt, output)
        read = caches.read(call)
        usage = (
            Usage(cache_read=read, cache_write=prompt - read, output=output) if told else Usage(prompt, output=output)
        )
        switch = session.desk.served(plan, route, ask, usage)
        found.append((Went(plan, route.lane.name, route.tier, route.why, switch), call))
    return found


@pytest.mark.parametrize("tiers", [MEDIUM_IS_CHEAP, MEDIUM_IS_STRONG], ids=["medium is cheap", "medium is strong"])
@pytest.mark.parametrize("cheap", [CHEAP, lane("cheap", SONNET)], ids=["haiku", "sonnet"])
@many
@given(
    PROMPTS,
    STEPS,
    st.integers(600, 150_000),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.7, 1.0, 1.4]),
    st.booleans(),
)
def test_no_conversation_ever_costs_more_than_on_the_strong_lane_alone(
    cheap: Lane,
    tiers: dict[str, list[str]],
    first: str,
    steps: list[Step],
    start: int,
    kept: float,
    off: float,
    told: bool,
) -> None:
    calls = [call for _, call in played(Session((STRONG, cheap), tiers), first, steps, start, kept, off, told)]
    models = {"strong": OPUS, "cheap": cheap.model or ""}
    alone = [call._replace(lane="strong") for call in calls]
    for n, (routed, strong) in enumerate(zip(bill(calls, models), bill(alone, models), strict=True)):
        assert routed <= strong, f"after request {n}: {[call.lane for call in calls[: n + 1]]}"


def test_the_bill_of_these_tests_is_what_a_provider_would_write() -> None:
    calls = [Call("strong", 0.0, 20_000, 600), Call("strong", 20.0, 22_600, 600), Call("strong", 400.0, 23_000, 0)]
    first, second, third = bill(calls, {"strong": OPUS})
    assert first == 20_000 * 5 + 600 * 20
    assert second - first == 20_000 * Fraction("0.2") + 2_600 * 5 + 600 * 20
    assert third - second == 23_000 * 5
    assert next(bill([Call("cheap", 0.0, 100_001, 1)], {"cheap": CHEAP.model or ""})) == 100_001 * Fraction(
        "0.625"
    ) + Fraction("2.5")


def price_of(model: str, read: int, prompt: int, output: int = 300) -> Fraction:
    new, cached, answered = rates(model, prompt)
    return read * cached + (prompt - read) * new + output * answered


@pytest.mark.xfail(
    strict=True, reason="docs/routing.md: the promise is each conversation's; what they share is written twice"
)
def test_a_session_of_two_conversations_that_begin_alike_costs_no_more_either() -> None:
    """The second one would have read tools and system prompt from the cache that the first one wrote, had both been on
    the strong lane; what the first one saved elsewhere does not pay for writing them there."""
    session, prefix, prompt = Session((STRONG, lane("cheap", SONNET)), MEDIUM_IS_CHEAP), 20_000, 20_500
    models, begins = {"strong": OPUS, "cheap": SONNET}, set[str]()
    routed = alone = Fraction(0)
    for n, words in enumerate([SIMPLE, COMPLEX]):
        ask = replace(session.ask(begun(words), tokens=prompt), prefix=prefix, prefix_id=7)
        plan = session.desk.plan(ask)
        route = plan.routes[0]
        read = prefix if route.lane.name in begins else 0
        session.desk.served(plan, route, ask, Usage(cache_read=read, cache_write=prompt - read, output=300))
        begins.add(route.lane.name)
        routed += price_of(models[route.lane.name], read, prompt)
        alone += price_of(OPUS, prefix if n else 0, prompt)
    assert routed <= alone


@few
@given(PROMPTS, STEPS, st.integers(600, 150_000))
def test_while_it_is_cached_it_never_comes_down(first: str, steps: list[Step], start: int) -> None:
    found = played(Session(), first, steps, start, 1.0, 1.0, True)
    for (before, _), (went, _), step in zip(found, found[1:], steps, strict=False):
        if step.pause < 300:
            assert TIERS.index(went.tier) >= TIERS.index(before.tier)
            assert (before.lane, went.lane) != ("strong", "cheap")
        if went.lane != before.lane:
            assert went.switch is not None and went.switch.made
            assert (went.switch.from_lane, went.switch.to_lane) == (before.lane, went.lane)


# --- a lane or a reason -----------------------------------------------------------------------------------------------

FOUR = {
    each.name: each
    for each in (STRONG, CHEAP, lane("middle", SONNET), lane("local", "qwen3", provider="ollama", auth=Auth.NONE))
}
LISTED = st.lists(st.sampled_from(sorted(FOUR)), max_size=3, unique=True)
TIERED = st.dictionaries(st.sampled_from(TIERS), LISTED, max_size=4)
RULES = st.builds(
    lambda number, to, who, words: Rule(number, **to, who=who, words=words),
    st.just(1),
    st.sampled_from([{"tier": tier} for tier in TIERS] + [{"lane": name} for name in FOUR]),
    st.sampled_from([None, "main", "title"]),
    st.sampled_from([("tests",), ("parser", "yes"), ("zzz",)]),
)
ROUTINGS = st.builds(
    lambda rules, models: Routing(rules=tuple(rules), models=models),
    st.lists(RULES, max_size=2),
    st.dictionaries(st.sampled_from(["*opus*", "*haiku*"]), st.sampled_from(TIERS), max_size=1),
)
CONTEXTS = st.dictionaries(st.sampled_from(sorted(FOUR)), st.sampled_from([4000, 30_000, 200_000]), max_size=4)
WORDS = st.one_of(PROMPTS, st.sampled_from(["/tier simple fix it", "/tier reasoning fix it", "/tier auto go on"]))
FAILURES = st.sampled_from(
    [None, None, Unserved(529, "overloaded", "529: overloaded", again=True), Unserved(None, "connect", "refused", again=True),
     Unserved(429, "rate_limit", "429: slow down", again=True, retry_after="7"),
     Unserved(402, "billing", "402: no credit", again=False), Unserved(401, "authentication", "401: no", again=False)]
)  # fmt: skip


@st.composite
def profiles(draw: st.DrawFn) -> Callable[[], Session]:
    """A session of any profile, made anew at each call."""
    contexts, routing, tiers = draw(CONTEXTS), draw(ROUTINGS), draw(TIERED)
    lanes = [each._replace(context=contexts.get(name)) for name, each in FOUR.items()]
    verdicts = frozenset(draw(LISTED))
    return lambda: Session(lanes, tiers, routing, verdicts)


class Act(NamedTuple):
    """A request of a conversation, or a title; how large, when, and how the lanes that are asked fail."""

    words: str | None
    title: bool
    guarded: bool
    tokens: int
    pause: float
    failures: list[Unserved | None]


ACTS = st.lists(
    st.builds(
        Act, st.none() | WORDS, st.booleans(), st.booleans(), st.integers(1, 300_000), PAUSES, st.lists(FAILURES, max_size=4)
    ),
    min_size=1,
    max_size=25,
)  # fmt: skip


def requests(acts: Sequence[Act]) -> Iterator[tuple[Act, Talk | dict[str, Any]]]:
    talk = begun(SIMPLE)
    for act in acts:
        if act.title:
            yield act, claude_title(act.words or SIMPLE)
            continue
        talk = talk.calls("error: no") if act.words is None else talk.answers().says(act.words)
        talk.more = {"safeguards": [{"type": "dangerous_tool_use"}]} if act.guarded else {}
        yield act, talk


@many
@given(profiles(), ACTS)
def test_a_lane_that_rests_is_not_asked_and_there_is_a_lane_or_a_reason(
    make: Callable[[], Session], acts: list[Act]
) -> None:
    session = make()
    healths = Healths(None, lambda: session.now)
    lanes = Lanes(session.desk.router.routing, healths, lambda: session.now, lambda: 0.5)
    for act, request in requests(acts):
        ask = session.ask(request, act.pause, act.tokens)
        plan = session.desk.plan(ask)
        assert plan.routes
        assert len(set(names(plan))) == len(plan.routes)
        assert all(route.why and route.tier in TIERS for route in plan.routes)
        resting = [rest for route in plan.routes if (rest := lanes.rest(route.lane))]
        usable = [route for route in plan.routes if not lanes.rest(route.lane)]
        assert all(healths.of(route.lane).state(session.now) != "open" for route in usable)
        assert all(0 < each.seconds <= 900 and each.why for each in resting)
        assert usable or resting
        for route, failure in zip(usable, [*act.failures, None, None, None, None], strict=False):
            was = healths.of(route.lane).state(session.now)
            lanes.asked(route.lane)
            if was == "half-open":
                assert lanes.rest(route.lane), "one request tries, and no other meanwhile"
            if failure is None:
                lanes.answered(route.lane)
                session.desk.served(plan, route, ask, Usage(input=act.tokens, output=500))
                assert healths.of(route.lane).state(session.now) == "closed"
                break
            lanes.failed(route.lane, failure)


@few
@given(profiles(), ACTS)
def test_the_same_requests_at_the_same_times_go_the_same_way(make: Callable[[], Session], acts: list[Act]) -> None:
    def way() -> list[tuple[Any, ...]]:
        session = make()
        found = []
        for act, request in requests(acts):
            went = session.goes(request, act.pause, act.tokens)
            found.append(
                (went.plan.routes, went.plan.who, went.plan.key, went.plan.score, went.switch, went.plan.known)
            )
        return found

    assert way() == way()


# --- the marker -------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["/tier", "/tier ", "/tier simple", "/tier complex", "/tier:auto", "/tier=reasoning", " ", "\n", "\t", "\u2028", "\u00a0", "simple",
     "complex", "a", "fix it", ".", "/", "\ud83d", "😀", ""]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=10).map("".join)
ALONE = re.compile(r"\s*(?:/tier[ =:](?:simple|medium|complex|reasoning|auto)(?:\s+|\Z))+")


@many
@given(TEXTS)
def test_the_marker_is_taken_out_once_and_for_all(text: str) -> None:
    left = unmarked(text)
    assert unmarked(left) == left
    assert len(left) <= len(text)
    assert marked(left) is None or ALONE.fullmatch(left)
    if marked(text) is None:
        assert left == text
    if text.strip():
        assert left.strip(), "providers refuse empty texts"


def sent(planning: Planning, messages: Sequence[dict[str, Any]]) -> list[Any]:
    """What a model reads of a conversation's messages."""
    body = json.dumps(claude(messages)).encode()
    request = Request("POST", "/v1/messages", [], None)  # type: ignore[arg-type]
    inbound = Inbound(request, claude_says(), formats.match("POST", "/v1/messages"), body, "1", 0)
    placed = planning.place(inbound, formats.anthropic.NAME)
    document = placed.inbound.document
    assert document is not None and isinstance(document.value, dict)
    return [message["content"] for message in document.value["messages"]]


def planning() -> Planning:
    return Planning(
        router({"strong": STRONG, "cheap": CHEAP}, MEDIUM_IS_CHEAP), Meter(table()), lambda: 1_795_000_000.0
    )


BLOCKS = st.lists(TEXTS.filter(str.strip), min_size=1, max_size=2)


@few
@given(st.lists(BLOCKS, min_size=1, max_size=5))
def test_what_a_model_has_read_is_said_again_in_the_same_words(prompts: list[list[str]]) -> None:
    house, talk, before = planning(), Talk(), list[Any]()
    for words in prompts:
        found = sent(house, talk.says(*words).messages)
        assert found[: len(before)] == before
        before = found
        talk.answers()


ADDED = "<system-reminder>\nSay /tier complex for more.\n</system-reminder>"


def test_a_marker_in_what_the_tool_added_is_left_alone_before_and_after_the_users_own() -> None:
    talk = Talk().says(ADDED, "fix the parser")
    house = planning()
    before = sent(house, talk.messages)
    after = sent(house, talk.answers().says("/tier complex and the lexer").messages)
    assert after[-1][0]["text"] == "and the lexer"
    assert after[:1] == before


@pytest.mark.parametrize("words", [f"{ADDED}\n/tier simple fix it", f"fix it /tier simple\n{ADDED}"])
def test_a_marker_that_is_obeyed_is_taken_out_whatever_stands_around_it(words: str) -> None:
    house = planning()
    assert asked(Format.ANTHROPIC, begun(words).body).marked == "simple"
    assert "/tier simple" not in sent(house, Talk().says(words).messages)[0][0]["text"]


def test_what_was_sent_before_the_first_marker_is_not_changed_by_it() -> None:
    """A file that the tool adds may end with such a word; the user has not said it."""
    house, talk = planning(), Talk().says("# AGENTS.md instructions for /w: say /tier complex", "fix the parser")
    before = sent(house, talk.messages)
    assert sent(house, talk.answers().says("/tier complex go on").messages)[:1] == before
