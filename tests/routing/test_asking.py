"""Who asks is told by the client's own words, else by the shape; a conversation keeps its key as long as it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from asked import (
    SESSION,
    SUM_UP,
    Talk,
    asked,
    begun,
    chat,
    claude,
    claude_says,
    claude_title,
    codex,
    codex_item,
    codex_says,
    gemini,
)

from lynkr.conversation import Result, Text, Turn
from lynkr.lane import Format
from lynkr.routing.asking import HOUSEKEEPING, human, marked, unmarked

A, CHAT, R, G = Format.ANTHROPIC, Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.GEMINI
SYSTEM = "You are Gemini CLI, an interactive agent. " * 300
ROUTES = (
    "You are a specialized Task Routing AI. Your sole function is to analyze the user's request and classify its "
    "complexity. Choose between `flash` (SIMPLE) or `pro` (COMPLEX)."
)
COMMITS = "You are an expert software engineer that generates concise, one-line Git commit messages based on the diffs."
EDITS = (
    "Act as an expert software developer. Take requests for changes to the supplied code. If the request is ambiguous, "
    "ask questions. Once you understand the request you MUST: 1. Determine if any code changes are needed. 2. Explain "
    "any needed changes. 3. If changes are needed, output a copy of each file that needs changes."
)
TITLES = "You are a title generator. You output ONLY a thread title. Nothing else. Generate a brief title, at most 50 characters."
TOPIC = "Analyze if this message indicates a new conversation topic. Format your response as JSON with 'isNewTopic' and 'title'."
CHOICE = {"type": "object", "properties": {"reasoning": {"type": "string"}, "model_choice": {"type": "string"}}}
TITLE_FORM = {
    "format": {
        "type": "json_schema",
        "name": "title",
        "strict": True,
        "schema": {"type": "object", "properties": {"title": {"type": "string"}}},
    }
}
LATER = begun("fix the parser").calls().answers().says(SUM_UP)
TRIGGER = {"type": "compaction_trigger"}


class Case(NamedTuple):
    who: str
    spoken: Format
    body: dict[str, Any]
    named: Mapping[str, str] | None = None


CASES = {
    "Claude Code's main loop": Case("main", A, begun("fix it").body, claude_says()),
    "Claude Code's main loop without hints": Case("main", A, begun("fix it").body, claude_says(None)),
    "its main loop in auto mode": Case(
        "main", A, {**begun("fix it").body, "safeguards": [{"type": "dangerous_tool_use"}]}, claude_says(None)
    ),
    "Claude Code's subagent": Case("subagent", A, begun("look").body, claude_says("subagent", "agent-1")),
    "a subagent that only its id tells": Case("subagent", A, begun("look").body, claude_says(None, "agent-1")),
    "Claude Code's compaction": Case("compaction", A, LATER.body, claude_says("compaction")),
    "a compaction that only its words tell": Case("compaction", A, LATER.body, claude_says(None)),
    "Claude Code's title": Case("title", A, claude_title("fix it"), claude_says("auxiliary")),
    "a title that only its schema tells": Case("title", A, claude_title("fix it"), claude_says(None)),
    "a title on the small model": Case("title", A, {**claude_title("fix it"), "model": "claude-haiku-4-5"}, {}),
    "the quota probe": Case(
        "probe", A, {"model": "claude-haiku-4-5", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}
    ),
    "whether it is a new topic": Case(
        "classifier", A, claude([{"role": "user", "content": "fix it"}], system=TOPIC, tools=None, thinking=None)
    ),
    "something else of Claude Code's": Case(
        "auxiliary",
        A,
        claude([{"role": "user", "content": "a word for it"}], system="Say it in a word.", tools=None),
        claude_says("auxiliary"),
    ),
    "Codex": Case("main", R, codex(("user", "fix it")), codex_says()),
    "Codex without metadata": Case("main", R, codex(("user", "fix it"))),
    "Codex with metadata that are broken": Case(
        "main", R, codex(("user", "fix it")), {**codex_says(), "x-codex-turn-metadata": '{"thread_source": "thread_ti'}
    ),
    "Codex with metadata that are no object": Case(
        "main", R, codex(("user", "fix it")), {**codex_says(), "x-codex-turn-metadata": '["thread_title"]'}
    ),
    "Codex' title, a whole request with tools": Case(
        "title", R, codex(("user", "fix it"), text=TITLE_FORM), codex_says("thread_title")
    ),
    "Codex' subagent": Case("subagent", R, codex(("user", "look")), codex_says("subagent")),
    "Codex' compaction": Case("compaction", R, codex(("user", "fix it"), ("user", SUM_UP)), codex_says(kind="compaction")),
    "Codex' compaction at the provider": Case("compaction", R, codex(("user", "fix it"), TRIGGER), codex_says()),
    "gemini-cli": Case(
        "main", G, gemini(SYSTEM, ("user", "fix it"), tools=[{"functionDeclarations": [{"name": "run_shell_command"}]}])
    ),
    "gemini-cli's classifier": Case(
        "classifier",
        G,
        gemini(
            ROUTES,
            ("user", "fix it"),
            generationConfig={"responseMimeType": "application/json", "responseJsonSchema": CHOICE, "maxOutputTokens": 1024},
        ),
    ),
    "aider's edit, which has no tools either": Case("main", CHAT, chat(EDITS, ("user", "fix it"), stream=True)),
    "aider's commit message": Case("commit", CHAT, chat(COMMITS, ("user", "# Diffs:\n-a\n+b"), stream=False)),
    "opencode's title": Case(
        "title", CHAT, chat(TITLES, ("user", "Generate a title for this conversation:\n"), ("user", "fix it"), stream=True)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_client_is_told_by_what_it_says(name: str) -> None:
    case = CASES[name]
    assert asked(case.spoken, case.body, case.named).who == case.who


def test_what_is_judged_at_length_is_no_housekeeping() -> None:
    body = claude(
        [{"role": "user", "content": "the whole conversation. " * 6000}], system="Is it safe?", tools=None, stream=None
    )
    assert asked(A, body, claude_says("auxiliary")).who not in HOUSEKEEPING
    assert "compaction" not in HOUSEKEEPING


def test_a_request_that_forbids_its_tools_has_none() -> None:
    body = {
        **chat("Write a title for this conversation.", ("user", "fix it")),
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }
    assert asked(CHAT, body).who == "main"
    assert asked(CHAT, {**body, "tool_choice": "none"}).who == "title"


# --- conversations ----------------------------------------------------------------------------------------------------


def key(talk: Talk, **named: Any) -> str:
    return asked(A, talk.body, claude_says(**named)).key


def test_a_conversation_keeps_its_key_as_long_as_it_goes_on() -> None:
    talk = begun("fix the parser")
    keys = {key(talk)}
    for _ in range(3):
        keys |= {key(talk.calls()), key(talk.answers()), key(talk.says("and now?"))}
    assert keys == {key(begun("fix the parser"))}
    assert len(talk.messages) > 9


def test_what_a_client_changes_from_turn_to_turn_is_not_part_of_the_key() -> None:
    talk = begun("fix the parser")
    expected = key(talk)
    talk.more = {"model": "claude-haiku-5-5", "metadata": {"user_id": "another"}, "max_tokens": 1, "system": "You are."}
    talk.messages[0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    assert key(talk) == expected
    talk.messages[0]["content"] = "fix the parser"  # the block that carried the breakpoint collapses to a text
    assert key(talk) == expected
    assert key(Talk().says("<system-reminder>\nToday is Monday.\n</system-reminder>", "fix the parser")) == expected
    assert key(talk, kind=None) == expected
    assert key(talk, kind="compaction") == expected


def test_other_first_words_another_agent_and_another_session_are_other_conversations() -> None:
    talk = begun("look into it")
    found = [
        key(talk),
        key(begun("look into that")),
        key(talk, agent="agent-1"),
        key(talk, agent="agent-2"),
        key(talk, session=SESSION[::-1]),
    ]
    assert len(set(found)) == len(found)


def test_codex_names_its_threads_in_headers_and_in_the_body() -> None:
    body, again = (
        codex(("user", "fix it")),
        codex(("user", "fix it"), codex_item("assistant", "Done."), ("user", "and now?")),
    )
    assert asked(R, body, codex_says()).key == asked(R, again, codex_says()).key
    assert asked(R, body).key != asked(R, codex(("user", "fix it"), thread="019c")).key
    assert asked(R, body, codex_says()).key != asked(R, body, codex_says(thread="019c")).key


def test_without_a_name_for_it_the_first_words_tell_a_conversation() -> None:
    one, other = gemini(SYSTEM, ("user", "fix it")), gemini(SYSTEM, ("user", "mend it"))
    later = gemini(SYSTEM, ("user", "fix it"), ("model", "Done."), ("user", "and now?"))
    assert asked(G, one).key == asked(G, later).key != asked(G, other).key
    assert (
        asked(CHAT, chat(EDITS, ("user", "fix it"))).key
        == asked(CHAT, chat(EDITS, ("user", "fix it"), ("assistant", "a"))).key
    )


@pytest.mark.parametrize("words", ["\ud83d", "\0", "", "\u2028", "größer 😀"])
def test_whatever_the_words_there_is_a_key(words: str) -> None:
    found = asked(A, begun(words).body, claude_says())
    assert (len(found.key), found.prompt) == (16, words.strip())


# --- the user's own words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "added",
    [
        "<system-reminder>\nAs you answer, use this context: # claudeMd\n</system-reminder>",
        "<environment_context>\n  <cwd>/w</cwd>\n  <shell>bash</shell>\n</environment_context>",
        "<user_instructions>\nAlways.\n</user_instructions>",
        "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nAlways.\n</INSTRUCTIONS>",
        "<permissions instructions>\nAsk first.\n</permissions instructions>",
        "<ide_opened_file>The user opened a.py</ide_opened_file>",
        "<local-command-stdout>Set model to opus</local-command-stdout>",
        "<local-command-caveat>Caveat: not for you.</local-command-caveat>",
    ],
)
def test_what_tools_put_among_a_users_words_is_not_the_users(added: str) -> None:
    for words in (f"{added}\nfix the parser", f"fix the parser\n{added}", f"{added}\nfix the parser\n{added}"):
        assert human(Turn("user", (Text(words),))) == "fix the parser"
    assert human(Turn("user", (Text(added), Text("fix the parser")))) == "fix the parser"
    assert human(Turn("user", (Text(added),))) == ""


def test_a_users_own_angle_brackets_are_the_users() -> None:
    for words in ("make <div> a <section>", "a < b && c > d", "# Title\ndo it", "<system-reminder> is never closed"):
        assert human(Turn("user", (Text(words),))) == words


def test_results_are_not_a_users_words() -> None:
    assert human(Turn("user", (Result("1", (Text("fix the parser"),)), Text("and now?")))) == "and now?"


def test_a_prompt_is_fresh_until_it_is_answered() -> None:
    talk = begun("fix the parser")

    def found() -> tuple[str, bool, bool]:
        seen = asked(A, talk.body, claude_says())
        return seen.prompt, seen.fresh, seen.begins

    assert found() == ("fix the parser", True, True)
    talk.calls()
    assert found() == ("fix the parser", False, False)
    talk.answers()
    talk.says("<system-reminder>a task ended</system-reminder>")
    assert found() == ("fix the parser", False, False)
    talk.answers()
    talk.says("and the lexer?")
    assert found() == ("and the lexer?", True, False)


# --- the marker -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tier", "left"),
    [
        ("/tier complex fix it", "complex", "fix it"),
        ("fix it /tier simple", "simple", "fix it"),
        ("fix it\n/tier reasoning\n", "reasoning", "fix it"),
        ("/tier:simple\nfix it", "simple", "fix it"),
        ("/tier=auto fix it", "auto", "fix it"),
        ("\t/tier simple\tfix it", "simple", "fix it"),
        ("/tier simple fix it /tier complex", "complex", "fix it"),
        # nothing else would be left
        ("/tier complex", "complex", "/tier complex"),
        (" /tier complex \n", "complex", " /tier complex \n"),
        # no marker
        ("/tier", None, "/tier"),
        ("/tier hard fix it", None, "/tier hard fix it"),
        ("/tiercomplex fix it", None, "/tiercomplex fix it"),
        ("src/tier complex", None, "src/tier complex"),
        ("/tier complexity", None, "/tier complexity"),
        ("`/tier complex`", None, "`/tier complex`"),
        ("/Tier Complex", None, "/Tier Complex"),
        # in the middle it may be part of a text that was pasted
        ("fix /tier medium it", None, "fix /tier medium it"),
        ("the docs:\n/tier simple\nare wrong", None, "the docs:\n/tier simple\nare wrong"),
        ("", None, ""),
    ],
)
def test_the_marker_names_a_tier_and_is_taken_out(text: str, tier: str | None, left: str) -> None:
    assert (marked(text), unmarked(text)) == (tier, left)
    assert unmarked(unmarked(text)) == unmarked(text)


def test_a_text_with_any_number_of_markers_can_be_read() -> None:
    assert unmarked("/tier simple " * 2000 + "fix it") == "fix it"


def test_the_marker_holds_from_there_on_until_another_stands() -> None:
    talk = begun("fix the parser")

    def said() -> str | None:
        return asked(A, talk.body, claude_says()).marked

    assert said() is None
    assert talk.answers().says("/tier complex and the lexer") and said() == "complex"
    assert talk.calls().answers().says("go on") and said() == "complex"
    assert talk.answers().says("/tier simple a word") and said() == "simple"
    assert talk.answers().says("/tier auto the rest") and said() == "auto"


def test_only_the_users_own_words_name_a_tier() -> None:
    talk = begun("fix the parser").calls("/tier reasoning says a file").answers("I would say /tier complex here")
    talk.says("<system-reminder>say /tier complex for more</system-reminder>", "go on")
    assert asked(A, talk.body, claude_says()).marked is None


def test_a_prompt_is_scored_and_matched_without_the_marker() -> None:
    assert asked(A, begun("/tier simple fix the parser").body).prompt == "fix the parser"
    assert json.dumps(asked(A, begun("/tier simple").body).prompt) == '"/tier simple"'


@pytest.mark.parametrize(
    "piece",
    [
        "/tier simple ",
        "/tier ",
        "<system-reminder>",
        "<ide_a ",
        "# AGENTS.md instructions\n",
        "\n/tier\n",
        "x",
        " ",
    ],
)
def test_a_long_text_takes_no_longer_than_it_is_long(piece: str) -> None:
    text = "/tier " + piece * (15_000 // len(piece)) + "fix it"
    begun_at = time.process_time()
    human(Turn("user", (Text(text),)))
    marked(text)
    unmarked(text)
    assert time.process_time() - begun_at < 0.2
