"""The operator's files of docs/deploy against lynkr itself: what starts it, what waits for it, what is shown of it.

No container, systemd or Prometheus is needed; tests/e2e/test_dashboard.py asks the dashboard's questions of a real one.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lynkr.cli.serve import command
from lynkr.ledger.row import Row, Try
from lynkr.proxy.counting import Counts
from lynkr.proxy.exposition import exposition
from lynkr.usage import Usage

DEPLOY = Path(__file__).parent.parent / "docs" / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
COMPOSE = (DEPLOY / "compose.yaml").read_text("utf-8")
UNIT = (DEPLOY / "lynkr.service").read_text("utf-8")
BOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", [])]
QUERIES = [each["query"]["query"] for each in BOARD["templating"]["list"] if each["type"] == "query"]
# What Prometheus adds to everything that it scrapes.
SCRAPED = {"instance", "job"}


def in_json(text: str, before: str) -> list[str]:
    """The last list of words behind `before`."""
    found: list[str] = json.loads(re.findall(rf"{before} *(\[.*\])", text)[-1])
    return found


def of_unit(key: str) -> list[str]:
    """What the unit, and the lines for a service of the machine in its comment, give `key`."""
    return [value for value in re.findall(rf"^(?:#   )?{key}=(.*)", UNIT, re.MULTILINE) if value]


STARTS = {
    "Dockerfile": [*in_json(DOCKERFILE, "ENTRYPOINT"), *in_json(DOCKERFILE, "\nCMD")],
    "compose.yaml": ["lynkr", *in_json(COMPOSE, "command:")],
    **{f"ExecStart {at}": shlex.split(line) for at, line in enumerate(of_unit("ExecStart"))},
}
ASKS = {
    "HEALTHCHECK": in_json(DOCKERFILE, "HEALTHCHECK.* CMD"),
    **{f"ExecReload {at}": shlex.split(line) for at, line in enumerate(of_unit("ExecReload"))},
}


def options(words: list[str]) -> dict[str, Any]:
    """What `lynkr serve` makes of these words; nothing is started. Raises UsageError where it does not know them."""
    program, serve, *rest = words
    assert (program.rpartition("/")[2], serve) == ("lynkr", "serve")
    if rest and not rest[0].startswith("-"):
        return command.commands[rest[0]].make_context(rest[0], rest[1:]).params
    return command.make_context(serve, rest).params


@pytest.mark.parametrize("words", STARTS.values(), ids=STARTS)
def test_what_starts_it_is_understood_and_keeps_the_token_out_of_logs(words: list[str]) -> None:
    assert "serve" in words
    given = options(words)
    assert (given["quiet"], str(given["log"])) == (True, "-")
    assert given["host"] == "127.0.0.1" or given["names"]


@pytest.mark.parametrize("words", ASKS.values(), ids=ASKS)
def test_what_asks_it_something_is_understood(words: list[str]) -> None:
    assert isinstance(options(words), dict)  # a word that is not known raises


def test_an_option_that_is_not_there_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        options(["lynkr", "serve", "--hots", "0.0.0.0"])


def test_the_container_is_called_by_the_names_that_others_use() -> None:
    (target,) = re.findall(r'targets: \["(.*):8711"\]', (DEPLOY / "prometheus.yml").read_text("utf-8"))
    assert target in options(STARTS["compose.yaml"])["names"]


def test_all_wait_until_it_has_drained() -> None:
    given = options(STARTS["Dockerfile"])
    waits = [*of_unit("TimeoutStopSec"), *re.findall(r"stop_grace_period: (\d+)s", COMPOSE)]
    waits += re.findall(r"--stop-timeout (\d+)", DOCKERFILE)
    assert len(waits) == 3
    assert all(int(wait) > given["notice_s"] + given["drain_s"] for wait in waits)


def test_a_unit_lets_requests_have_half_of_its_memory_at_most() -> None:
    (most,) = of_unit("MemoryMax")
    for at in range(2):
        assert options(STARTS[f"ExecStart {at}"])["memory"] * 10**6 * 2 <= int(most.removesuffix("G")) << 30


def emitted() -> dict[str, set[str]]:
    """Every name that the proxy gives figures under, with its labels."""
    counts = Counts()
    usage = Usage(input=1, cache_read=1, cache_write=1, output=1)
    for cost in (None, 1.0):
        counts.add("work", Row("1", "", lane="main", provider="anthropic", model="m", status=200, usage=usage,
                               cost_usd=cost, baseline_usd=2.0, removed_tokens=3, first_byte_ms=1.0,
                               tried=(Try("other", 529),), answered="exact:2"))  # fmt: skip
    counts.shed["memory"] += 1
    page = exposition(counts, lambda: {("work", "main"): True}, 1).decode()
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    found = dict[str, set[str]]()
    for sample in samples:
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("text", [*EXPRESSIONS, *QUERIES])
def test_the_dashboard_asks_for_what_the_proxy_gives(text: str) -> None:
    known, used = emitted(), re.findall(r"\b((?:lynkr|process)_\w+)(?:\{([^}]*)\})?", text)
    assert used
    for name, matchers in used:
        assert name in known
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= known[name] | SCRAPED
    both = set[str]().union(*(known[name] for name, _ in used)) | SCRAPED
    for labels in re.findall(r"(?:by|on|group_left) ?\(([\w, ]+)\)", text):
        assert set(labels.split(", ")) <= both | {"le"}


def test_the_dashboard_can_be_imported() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert {each["name"] for each in BOARD["templating"]["list"]} >= {"datasource", "profile"}
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_every_metric_of_the_proxys_own_has_a_place_on_the_dashboard() -> None:
    shown = {name for text in [*EXPRESSIONS, *QUERIES] for name in re.findall(r"\blynkr_\w+", text)}
    own = {
        name for name in emitted() if name.startswith("lynkr_") and not name.endswith(("_created", "_sum", "_count"))
    }
    assert own <= shown
