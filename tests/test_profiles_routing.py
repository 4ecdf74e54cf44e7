"""What a profile says of routing and money is read whole or refused: each mistake with its file, line, key and way out.

A cloned repository's .lynkr.toml can lower a budget, and never raise one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import reading

from lynkr.errors import ConfigError
from lynkr.paths import Paths
from lynkr.profiles import choose
from lynkr.routing import TIERS
from lynkr.routing.settings import WHO, Budget, Routing, Rule

BASE = """\
[tiers]
simple  = ["local"]
complex = ["claude"]
[lanes.claude]
provider = "anthropic"
[lanes.local]
provider = "ollama"
model = "qwen3:8b"
"""
FIRST = BASE.count("\n") + 1
WHOLE = """\
[route]
mode             = "tiered"
wait_s           = 90
retries          = 1
breaker_failures = 5
breaker_rest_s   = 12.5

[route.models]
"*haiku*" = "simple"
"*-mini"  = "simple"
opus      = "reasoning"

[[route.rules]]
path = "billing/*"
tier = "complex"

[[route.rules]]
who   = "subagent"
words = ["review", "code review"]
model = "*opus*"
tool  = "mcp__*"
lane  = "local"

[budget]
session_usd = 5
day_usd     = 20.5
month_usd   = 200.00
on_exceed   = "downgrade"
"""


def mistake(folder: Path, text: str) -> str:
    """What is said of the mistake in `text`, without the folder; its line is counted within `text`."""
    with pytest.raises(ConfigError) as caught:
        reading(folder, BASE + text)
    assert caught.value.exit_status == 78
    place, _, rest = caught.value.sentence.replace(f"{folder}/", "").partition(": ")
    name, _, line = place.partition(":")
    return f"{name}:{int(line) - FIRST + 1}: {rest}" if line else f"{name}: {rest}"


# --- what is right ----------------------------------------------------------------------------------------------------


def test_all_that_the_document_shows_is_read(tmp_path: Path) -> None:
    found = reading(tmp_path, BASE + WHOLE)
    assert found.routing == Routing(
        mode="tiered",
        retries=1,
        wait_s=90.0,
        breaker_failures=5,
        breaker_rest_s=12.5,
        models={"*haiku*": "simple", "*-mini": "simple", "opus": "reasoning"},
        rules=(
            Rule(1, tier="complex", path="billing/*"),
            Rule(2, lane="local", who="subagent", model="*opus*", words=("review", "code review"), tool="mcp__*"),
        ),
    )
    assert list(found.routing.models) == ["*haiku*", "*-mini", "opus"], "the first that fits counts"
    assert found.budget == Budget(5, 20.5, 200.0, "downgrade")


def test_without_a_word_all_is_as_the_document_says(tmp_path: Path) -> None:
    found = reading(tmp_path, BASE + "")
    assert found.routing == Routing("tiered", None, 120.0, 3, 30.0, {}, ())
    assert found.budget == Budget(None, None, None, "stop")
    assert found.lanes["local"].concurrency is None
    assert reading(tmp_path, BASE + "[route]\n[budget]\n").routing == Routing()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('mode = "off"', "mode", "off"),
        ("retries = 0", "retries", 0),
        ("breaker_failures = 0", "breaker_failures", 0),
        ("wait_s = 0.5", "wait_s", 0.5),
        ("breaker_rest_s = 600", "breaker_rest_s", 600),
        ('rules = [{ who = "main", tier = "simple" }]', "rules", (Rule(1, tier="simple", who="main"),)),
        ('models = { "gpt-*" = "medium" }', "models", {"gpt-*": "medium"}),
        ("rules = []", "rules", ()),
    ],
)
def test_each_key_alone(tmp_path: Path, text: str, name: str, value: object) -> None:
    assert getattr(reading(tmp_path, BASE + f"[route]\n{text}\n").routing, name) == value


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("who", WHO)
def test_rules_may_name_everybody_who_asks_and_every_tier(tmp_path: Path, who: str, tier: str) -> None:
    found = reading(tmp_path, BASE + f'[[route.rules]]\nwho = "{who}"\ntier = "{tier}"\n')
    assert found.routing.rules == (Rule(1, tier=tier, who=who),)


@pytest.mark.parametrize("on_exceed", ["warn", "downgrade", "stop"])
def test_what_follows_when_the_money_is_gone_is_one_of_three(tmp_path: Path, on_exceed: str) -> None:
    assert reading(tmp_path, BASE + f'[budget]\non_exceed = "{on_exceed}"\n').budget == Budget(on_exceed=on_exceed)  # type: ignore[arg-type]


def test_a_lane_says_how_many_requests_it_takes_at_once(tmp_path: Path) -> None:
    assert reading(tmp_path, BASE + "concurrency = 2\n").lanes["local"].concurrency == 2


# --- each kind of mistake ---------------------------------------------------------------------------------------------

RULES = "[[route.rules]]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # words
        ('[route]\nmoed = "off"', "work.toml:2: route.moed: there is no such key (did you mean 'mode'?)"),
        ('[route]\nmode = "of"', "work.toml:2: route.mode: 'of' is not known here (did you mean 'off'?); it can be tiered, off"),
        ("[route]\nretry = 1", "work.toml:2: route.retry: there is no such key (did you mean 'retries'?)"),
        ("[rout]", "work.toml:1: rout: there is no such key (did you mean 'route'?)"),
        ("[budgets]", "work.toml:1: budgets: there is no such key (did you mean 'budget'?)"),
        ("[budget]\nweek_usd = 1", "work.toml:2: budget.week_usd: there is no such key"),
        ('[budget]\non_exceed = "halt"', "work.toml:2: budget.on_exceed: 'halt' is not known here; it can be warn, downgrade, stop"),
        # numbers
        ("[route]\nretries = -1", "work.toml:2: route.retries: it must be a whole number, 0 or more"),
        ("[route]\nretries = 1.5", "work.toml:2: route.retries: it must be a whole number, 0 or more"),
        ("[route]\nretries = true", "work.toml:2: route.retries: it must be a whole number, 0 or more"),
        ('[route]\nretries = "2"', "work.toml:2: route.retries: it must be a whole number, 0 or more"),
        ("[route]\nbreaker_failures = -3", "work.toml:2: route.breaker_failures: it must be a whole number, 0 or more"),
        ("[route]\nbreaker_failures = inf", "work.toml:2: route.breaker_failures: it must be a whole number, 0 or more"),
        ("[route]\nwait_s = 0", "work.toml:2: route.wait_s: it must be a number above 0"),
        ("[route]\nwait_s = nan", "work.toml:2: route.wait_s: it must be a number above 0"),
        ("[route]\nbreaker_rest_s = -1", "work.toml:2: route.breaker_rest_s: it must be a number above 0"),
        ("[budget]\nsession_usd = 0", "work.toml:2: budget.session_usd: it must be a number above 0"),
        ("[budget]\n\nday_usd = -1", "work.toml:3: budget.day_usd: it must be a number above 0"),
        ('[budget]\nmonth_usd = "200"', "work.toml:2: budget.month_usd: it must be a number above 0"),
        ("[budget]\nmonth_usd = true", "work.toml:2: budget.month_usd: it must be a number above 0"),
        ("concurrency = 0", "work.toml:1: lanes.local.concurrency: it must be a number of requests"),
        ("concurrency = 1.5", "work.toml:1: lanes.local.concurrency: it must be a number of requests"),
        ("concurrency = true", "work.toml:1: lanes.local.concurrency: it must be a number of requests"),
        # models
        ('[route.models]\nopus = "complx"', "work.toml:2: route.models.opus: 'complx' is not known here (did you mean 'complex'?)"),
        ("[route.models]\nopus = 3", "work.toml:2: route.models.opus: it must be one of simple, medium, complex, reasoning"),
        ('[route.models]\nopus = "auto"', "work.toml:2: route.models.opus: 'auto' is not known here; it can be simple"),
        ("[route]\nmodels = 3", "work.toml:2: route.models: it must be a section [route.models]"),
        # rules
        ("[route]\nrules = 3", "work.toml:2: route.rules: a rule is a section [[route.rules]]"),
        ("[route]\nrules = [3]", "work.toml:2: route.rules: a rule is a section [[route.rules]]"),
        ('[route.rules]\ntier = "simple"', "work.toml:1: route.rules: a rule is a section [[route.rules]]"),
        (f'{RULES}wrods = ["a"]\ntier = "simple"', "work.toml:2: route.rules.wrods: there is no such key (did you mean 'words'?)"),
        (f'{RULES}who = "subagnet"\ntier = "simple"',
         "work.toml:2: route.rules.who: 'subagnet' is not known here (did you mean 'subagent'?); it can be main, subagent"),
        (f'{RULES}who = "main"\ntier = "hard"', "work.toml:3: route.rules.tier: 'hard' is not known here; it can be simple"),
        (f'{RULES}who = "main"\nlane = "lcoal"', "work.toml:3: route.rules.lane: 'lcoal' is not known here (did you mean 'local'?)"),
        (f'{RULES}words = "a"\ntier = "simple"', 'work.toml:2: route.rules.words: it must be a list of words, such as ["migration"]'),
        (f'{RULES}words = [""]\ntier = "simple"', "work.toml:2: route.rules.words: it must be a list of words"),
        (f'{RULES}words = [3]\ntier = "simple"', "work.toml:2: route.rules.words: it must be a list of words"),
        (f'{RULES}path = 3\ntier = "simple"', "work.toml:2: route.rules.path: it must be a pattern in quotes"),
        (f'{RULES}tool = ["a"]\ntier = "simple"', "work.toml:2: route.rules.tool: it must be a pattern in quotes"),
        (f'{RULES}model = true\ntier = "simple"', "work.toml:2: route.rules.model: it must be a pattern in quotes"),
        (f'{RULES}who = "main"', "work.toml:1: route.rules: rule 1 needs a tier or a lane to send things to, and not both"),
        (f'{RULES}who = "main"\ntier = "simple"\nlane = "local"', "work.toml:1: route.rules: rule 1 needs a tier or a lane"),
        (f'{RULES}tier = "simple"', "work.toml:1: route.rules: rule 1 says nothing of what it is for: who, model, words, path or tool"),
        (f'{RULES}words = []\ntier = "simple"', "work.toml:1: route.rules: rule 1 says nothing of what it is for"),
        (f'{RULES}path = ""\ntier = "simple"', "work.toml:1: route.rules: rule 1 says nothing of what it is for"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    assert mistake(tmp_path, text).startswith(said)


GOOD = '[[route.rules]]\nwho = "main"\ntier = "simple"\n\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{GOOD}{RULES}who = "main"\ntier = "hard"', "work.toml:7: route.rules.tier: 'hard'"),
        (f'{GOOD}{RULES}who = "nobody"\ntier = "simple"', "work.toml:6: route.rules.who: 'nobody'"),
        (f'{GOOD}{RULES}tier = "simple"', "work.toml:5: route.rules: rule 2 says nothing"),
    ],
)
def test_a_mistake_in_a_later_rule_is_named_by_its_own_line(tmp_path: Path, text: str, said: str) -> None:
    assert mistake(tmp_path, text).startswith(said)


@pytest.mark.parametrize("pattern", ["*haiku*", "*-mini", "gpt-5.?"])
def test_a_mistake_behind_a_pattern_is_named_by_its_own_line(tmp_path: Path, pattern: str) -> None:
    text = f'[route.models]\nopus = "complex"\n"{pattern}" = "simpel"'
    assert mistake(tmp_path, text).startswith(
        f"work.toml:3: route.models.{pattern}: 'simpel' is not known here (did you mean 'simple'?)"
    )


# --- .lynkr.toml ------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(where: Paths, tmp_path: Path) -> Path:
    """A folder in a project, and a profile of the user's that has a budget."""
    (where.profiles / "work.toml").write_text(
        BASE + '[budget]\nsession_usd = 5\nday_usd = 20\non_exceed = "downgrade"\n'
    )
    folder = tmp_path / "project" / "deep"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("session_usd = 2", Budget(2, 20, None, "downgrade")),
        ("session_usd = 50", Budget(5, 20, None, "downgrade")),
        ("session_usd = 50\nday_usd = 1\nmonth_usd = 9", Budget(5, 1, 9, "downgrade")),
        ("", Budget(5, 20, None, "downgrade")),
    ],
)
@pytest.mark.parametrize("how", ["local", "option", "variable"])
def test_a_local_file_lowers_a_budget_and_never_raises_one(
    where: Paths, project: Path, local: str, expected: Budget, how: str
) -> None:
    named = 'profile = "work"\n' if how == "local" else ""
    (project.parent / ".lynkr.toml").write_text(f"{named}[budget]\n{local}\n")
    environ = {"LYNKR_PROFILE": "work"} if how == "variable" else {}
    assert choose("work" if how == "option" else None, environ, project, where).budget == expected


def test_a_local_file_limits_what_the_profile_does_not(where: Paths, project: Path) -> None:
    (project / ".lynkr.toml").write_text("[budget]\nsession_usd = 1.5\n")
    found = choose(None, {}, project, where)
    assert (found.name, found.budget) == ("direct", Budget(1.5))
    (project / ".lynkr.toml").unlink()
    assert choose(None, {}, project, where).budget == Budget()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[budget]\nsession_usd = 0", "2: budget.session_usd: it must be a number above 0"),
        ("\n[budget]\n# less\nday_usd = 'x'", "4: budget.day_usd: it must be a number above 0"),
        ("[budget]\nsesion_usd = 1", "2: budget.sesion_usd: there is no such key (did you mean 'session_usd'?)"),
        ("budget = 3", "1: budget: it must be a section [budget]"),
        ("[budget]\non_exceed = 'go'", "2: budget.on_exceed: 'go' is not known here; it can be warn, downgrade, stop"),
        (
            "[budget]\nday_usd = 1\non_exceed = 'warn'",
            "3: budget.on_exceed: it may lower a budget; what happens then is for the",
        ),
    ],
)
def test_a_mistake_in_a_local_file_is_named_too(where: Paths, project: Path, text: str, said: str) -> None:
    path = project / ".lynkr.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        choose(None, {}, project, where)
    assert caught.value.sentence.startswith(f"{path}:{said}")
    assert caught.value.exit_status == 78


def test_a_cloned_repository_cannot_route(where: Paths, project: Path) -> None:
    path = project / ".lynkr.toml"
    for text in ('[[route.rules]]\nwho = "main"\nlane = "evil"', '[route]\nmode = "off"', '[tiers]\nsimple = ["evil"]'):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"cannot stand here; it may say profile = \"NAME\" and lower a budget"):
            choose(None, {}, project, where)
