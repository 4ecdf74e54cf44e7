"""`lynkr route` says where a prompt would go and why, sends nothing, and explains a session that is over."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from asked import COMPLEX, MEDIUM, SIMPLE
from conftest import Ran, lynkr, profile
from scripts import anthropic, upstream

TIERED = """\
[tiers]
simple    = ["cheap", "middle"]
medium    = ["middle"]
complex   = ["strong"]
reasoning = ["strong"]

[lanes.strong]
provider = "anthropic"
model    = "claude-opus-5-5"

[lanes.middle]
provider = "anthropic"
model    = "claude-sonnet-5-5"

[lanes.cheap]
provider = "anthropic"
model    = "claude-haiku-5-5"

[route.models]
"*haiku*" = "simple"

[[route.rules]]
words = ["invoice"]
tier  = "reasoning"

[[route.rules]]
path = "docs/*"
lane = "cheap"
"""


@pytest.fixture
def home(clean_machine: Path) -> Path:
    profile(clean_machine, "tiered", TIERED)
    return clean_machine


def route(home: Path, *words: str, **more: Any) -> Ran:
    return lynkr("route", *words, "-p", "tiered", home=home, **more)


def found(home: Path, prompt: str, *words: str) -> dict[str, Any]:
    ran = route(home, prompt, "--json", *words)
    assert (ran.status, ran.err) == (0, "")
    return dict(json.loads(ran.out))


# --- one prompt -------------------------------------------------------------------------------------------------------


def test_a_prompt_is_explained_in_words(home: Path) -> None:
    ran = route(home, SIMPLE)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "simple → lane cheap, claude-haiku-5-5"
    assert lines[1].startswith("because: scores 0.")
    assert "if that does not answer: middle, strong" in lines
    assert any(line.startswith("score 0.") and "medium from 0." in line for line in lines)
    assert lines[-1] == "profile tiered; nothing was sent"
    assert "\x1b" not in ran.out


@pytest.mark.parametrize(
    ("prompt", "tier", "lane"),
    [(SIMPLE, "simple", "cheap"), (MEDIUM, "medium", "middle"), (COMPLEX, "complex", "strong")],
)
def test_as_json_it_says_everything(home: Path, prompt: str, tier: str, lane: str) -> None:
    said = found(home, prompt)
    assert (said["tier"], said["lane"], said["profile"]) == (tier, lane, "tiered")
    assert said["lanes"][0] == lane
    assert len(said["models"]) == len(said["lanes"])
    assert 0 <= said["score"] <= 1
    assert said["limits"]["medium"] < said["limits"]["complex"] < said["limits"]["reasoning"]
    sizes = [abs(part["weight"]) for part in said["parts"]]
    assert sizes == sorted(sizes, reverse=True)


def test_rules_and_the_marker_come_before_the_score(home: Path) -> None:
    assert found(home, "print the invoice")["why"] == "rule 1 of the profile: tier reasoning"
    ruled = found(home, "mend docs/index.md")
    assert (ruled["lane"], ruled["why"]) == ("cheap", "rule 2 of the profile: lane cheap")
    by_hand = found(home, "/tier complex print the invoice")
    assert (by_hand["tier"], by_hand["why"]) == ("complex", "the prompt says /tier complex")
    assert by_hand["score"] == found(home, "print the invoice")["score"], "the marker is not part of what is scored"
    assert found(home, f"/tier auto {SIMPLE}")["tier"] == "simple"


def test_a_dash_reads_the_prompt_from_stdin(home: Path) -> None:
    typed = found(home, COMPLEX)
    assert json.loads(route(home, "-", "--json", stdin=COMPLEX).out) == typed
    assert json.loads(route(home, "-", "--json", stdin="").out)["parts"][0]["words"] == "0 characters"


def test_the_prompt_may_be_anything(home: Path) -> None:
    for prompt in ("", "\u2028\u0085 größer 😀", "word " * 10_000, "--"):
        words = ("--", prompt) if prompt.startswith("-") else (prompt,)
        ran = lynkr("route", "-p", "tiered", "--json", *words, home=home)
        assert (ran.status, ran.err) == (0, ""), prompt[:10]
    raw = b"\xff\xfe caf\xe9"
    ran = lynkr("route", "-p", "tiered", "--json", os.fsdecode(raw), home=home)
    assert (ran.status, ran.err) == (0, "")


def test_a_prompt_is_not_repeated_where_others_may_read_it(home: Path) -> None:
    assert "xylophone" not in route(home, f"{COMPLEX} xylophone").out


def test_a_profile_without_tiers_sends_everything_the_same_way(home: Path) -> None:
    ran = lynkr("route", COMPLEX, home=home)
    assert ran.out.splitlines()[1] == "because: profile direct sends everything down the same lanes"
    assert ran.out.splitlines()[-1] == "profile direct; nothing was sent"
    profile(home, "flat", TIERED.partition("[tiers]")[2].partition("\n\n")[2].partition("[route")[0])
    said = json.loads(lynkr("route", SIMPLE, "-p", "flat", "--json", home=home).out)
    assert (said["tier"], said["lanes"]) == ("complex", ["strong", "middle", "cheap"])


@pytest.mark.parametrize("prompt", [SIMPLE, "print the invoice", "mend docs/index.md"])
def test_where_routing_is_off_everything_goes_down_the_lanes_of_complex(home: Path, prompt: str) -> None:
    profile(home, "tiered", TIERED.replace("[route.models]", '[route]\nmode = "off"\n\n[route.models]'))
    said = found(home, prompt)
    assert (said["tier"], said["lanes"]) == ("complex", ["strong"])
    assert "rule" not in said["why"]


def test_a_rule_counts_where_there_is_one_tier_as_well(home: Path) -> None:
    text = TIERED.replace('simple    = ["cheap", "middle"]\nmedium    = ["middle"]\n', "").replace(
        'reasoning = ["strong"]\n', ""
    )
    profile(home, "one", text)
    said = json.loads(lynkr("route", "mend docs/index.md", "-p", "one", "--json", home=home).out)
    assert (said["lane"], said["why"]) == ("cheap", "rule 2 of the profile: lane cheap")
    assert json.loads(lynkr("route", SIMPLE, "-p", "one", "--json", home=home).out)["lane"] == "strong"


# --- many prompts -----------------------------------------------------------------------------------------------------


def test_each_line_of_a_file_is_answered_by_a_line(home: Path) -> None:
    prompts = [SIMPLE, COMPLEX, "a\u2028b\u0085c\x0bd", "", "\ud83d", "/tier reasoning x"]
    path = home / "prompts.jsonl"
    lines = [json.dumps({"prompt": prompt, "label": "large"}) for prompt in prompts]
    path.write_text("\n".join(lines) + "\n\n", "utf-8")
    ran = route(home, "--jsonl", str(path))
    assert (ran.status, ran.err) == (0, "")
    rows = [json.loads(line) for line in ran.out.split("\n") if line]
    assert [list(row) for row in rows] == [["tier", "score", "lane", "why"]] * len(prompts)
    assert [row["tier"] for row in rows[:2]] == ["simple", "complex"]
    assert (rows[5]["tier"], rows[5]["lane"]) == ("reasoning", "strong")
    assert all(0 <= row["score"] <= 1 for row in rows)


def test_what_stands_in_a_prompt_is_no_end_of_a_line(home: Path) -> None:
    path = home / "prompts.jsonl"
    path.write_bytes('{"prompt": "a\u2028b\u2029c\u0085d"}\r\n{"prompt": "e"}'.encode())
    ran = route(home, "--jsonl", str(path))
    assert (ran.status, ran.err, ran.out.count("\n")) == (0, "", 2)


def test_prompts_can_be_piped_in(home: Path) -> None:
    ran = route(home, "--jsonl", "-", stdin='{"prompt": "a"}\n{"prompt": "b"}')
    assert (ran.status, ran.out.count("\n")) == (0, 2)
    bad = route(home, "--jsonl", "-", stdin='{"prompt": "a"}\n{"prompt": 3}')
    assert (bad.status, bad.err) == (2, 'lynkr: -:2: it has no text under "prompt"\n')


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "this is no JSON"),
        ("[]", 'it has no text under "prompt"'),
        ('{"Prompt": "a"}', 'it has no text under "prompt"'),
        ('{"prompt": null}', 'it has no text under "prompt"'),
        ("\ufeff{}", "this is no JSON"),
        ("[" * 100_000, "this is no JSON"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_by_file_and_line(home: Path, line: str, said: str) -> None:
    path = home / "prompts.jsonl"
    path.write_text(f'{{"prompt": "a"}}\n\n{line}\n{{"prompt": "b"}}\n', "utf-8")
    ran = route(home, "--jsonl", str(path))
    assert ran.status == 2
    assert ran.err.startswith(f"lynkr: {path}:3: {said}")
    assert ran.err.count("\n") == 1
    assert ran.out.count("\n") == 1, "what came before it is answered"


def test_a_file_that_cannot_be_read_is_named(home: Path) -> None:
    ran = route(home, "--jsonl", "no/such.jsonl")
    assert (ran.status, ran.err) == (2, "lynkr: no/such.jsonl cannot be read: No such file or directory\n")
    folder = route(home, "--jsonl", str(home))
    assert (folder.status, folder.err.count("\n")) == (2, 1)


# --- misuse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [(), ("a", "--jsonl", "f"), ("a", "--session", "last"), ("--jsonl", "f", "--session", "last")]
)
def test_one_thing_is_asked_at_a_time(home: Path, words: tuple[str, ...]) -> None:
    ran = route(home, *words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == 'lynkr: say one of: lynkr route "TEXT", lynkr route --jsonl FILE, lynkr route --session last\n'


def test_a_profile_that_is_not_there_or_wrong_is_a_matter_of_configuration(home: Path) -> None:
    ran = lynkr("route", "a", "-p", "tierd", home=home)
    assert (ran.status, ran.err.startswith("lynkr: there is no profile 'tierd' (did you mean 'tiered'?)")) == (78, True)
    profile(home, "wrong", TIERED.replace("words =", "wrods ="))
    wrong = lynkr("route", "a", "-p", "wrong", home=home)
    assert wrong.status == 78
    assert "route.rules.wrods: there is no such key (did you mean 'words'?)" in wrong.err


def test_two_texts_are_one_too_many(home: Path) -> None:
    assert route(home, "fix", "it").status == 2


# --- a session --------------------------------------------------------------------------------------------------------


def test_without_a_session_the_way_to_one_is_told(home: Path) -> None:
    ran = lynkr("route", "--session", "last", home=home)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "lynkr: there is no session yet; start one with lynkr run claude, or see lynkr demo\n"


SAYS = """
import json, os, urllib.request
for prompt in {prompts!r}:
    body = {{"model": "claude-opus-5-5", "max_tokens": 100, "tools": [{{"name": "Bash", "input_schema": {{"type": "object"}}}}],
             "messages": [{{"role": "user", "content": prompt}}]}}
    said = {{"content-type": "application/json", "x-claude-code-session-id": "s", "x-claude-code-request-class": "main"}}
    url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
    print(urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), said)).headers["x-lynkr-lane"])
"""


def test_a_session_is_explained_turn_by_turn(home: Path) -> None:
    with upstream(anthropic()) as up:
        url = getattr(up, "url", None) or f"http://127.0.0.1:{up.port}"
        lanes = TIERED.replace(
            'provider = "anthropic"\n', f'provider = "anthropic"\nbase_url = "{url}"\nkey_env = "LANE_KEY"\n'
        )
        profile(home, "tiered", lanes)
        prompts = [SIMPLE, COMPLEX, "print the invoice"]
        ran = lynkr(
            "run",
            "-p",
            "tiered",
            "-q",
            "--",
            sys.executable,
            "-c",
            SAYS.format(prompts=prompts),
            home=home,
            LANE_KEY="k-1",
        )
    assert (ran.status, ran.out.split()) == (0, ["cheap", "strong", "strong"]), ran.err
    shown = lynkr("route", "--session", "last", home=home)
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.count("main") == 3, "three conversations"
    for line in (
        "simple → cheap: scores 0.",
        "complex → strong: scores 0.",
        "reasoning → strong: rule 1 of the profile: tier reasoning",
    ):
        assert line in shown.out
    rows = json.loads(lynkr("route", "--session", "last", "--json", home=home).out)
    assert [(row["who"], row["tier"], row["lane"]) for row in rows] == [
        ("main", "simple", "cheap"), ("main", "complex", "strong"), ("main", "reasoning", "strong")
    ]  # fmt: skip
    assert len({row["conversation"] for row in rows}) == 3
    assert rows[0]["score"] == found(home, SIMPLE)["score"]
    assert rows[2]["score"] is None
    assert lynkr("route", "--session", "ZZZZ", home=home).status == 2
