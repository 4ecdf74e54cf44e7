"""`/metrics` says what the ledger says: read by Prometheus' own parser and added up against the rows of a mixed load."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import lynkr, profile
from prometheus_client.parser import text_string_to_metric_families
from proxied import anthropic_lane, ask, connect, proxy, read, request
from scripts import (
    ANTHROPIC_USAGE,
    STREAM_HEAD,
    Asked,
    Cut,
    Hang,
    Pause,
    Step,
    anthropic,
    anthropic_events,
    chat,
    chunk,
    upstream,
    whole,
)
from standing import LANE, Serve, serving, until

from lynkr.ledger.row import Row, Session
from lynkr.ledger.store import Ledger

WHOSE = ("profile", "lane", "provider", "model")
Sample = tuple[str, frozenset[tuple[str, str]]]
MIXED = """
[tiers]
complex = ["first", "second"]
[route]
mode = "off"
[lanes.first]
provider = "anthropic"
model = "claude-haiku-5-5"
base_url = "{url}"
price = {{ input = 0.3, output = 1.1, cache_read = 0.07, cache_write = 0.7 }}
[lanes.second]
provider = "openai"
format = "openai-chat"
auth = "none"
model = 'we"ird \\ näme'
base_url = "{other}/v1"
[cache]
answers = "exact"
"""


def samples(page: bytes) -> dict[Sample, float]:
    """Every sample of a page by its name and labels; no sample stands there twice."""
    found: dict[Sample, float] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def named(found: dict[Sample, float], name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by the values of its labels, which are these and no others."""
    chosen = {labelled: value for (called, labelled), value in found.items() if called == name}
    assert all(set(dict(labelled)) == set(labels) for labelled in chosen)
    return {tuple(dict(labelled)[label] for label in labels): value for labelled, value in chosen.items()}


def agrees(page: bytes, rows: Iterable[tuple[Session, Row]]) -> None:
    """Adds rows up anew, from nothing but what the ledger holds."""
    requests, tokens, unserved, answered, unpriced = (Counter[tuple[str, ...]]() for _ in range(5))
    cost, baseline, took, first = ({} for _ in range(4))  # type: dict[tuple[str, ...], list[float]]
    for session, row in rows:
        whose = (session.profile, row.lane or "none", row.provider or "none", row.model or "none")
        requests[*whose, row.outcome, str(row.status or "none")] += 1
        usage = row.usage
        written = usage.cache_write + usage.cache_write_1h
        kinds = {"input": usage.input, "cache_read": usage.cache_read, "cache_write": written, "output": usage.output}
        tokens += Counter({(*whose, kind): count for kind, count in kinds.items()})
        if row.cost_usd is None:
            unpriced[whose] += 1
        else:
            cost.setdefault(whose, []).append(row.cost_usd)
            baseline.setdefault(whose, []).append(row.baseline_usd or 0.0)
        for attempt in row.tried:
            unserved[session.profile, attempt.lane, str(attempt.status or "none")] += 1
        if row.answered:
            answered[session.profile, row.answered.partition(":")[0]] += 1
        took.setdefault(whose[:2], []).append(row.ms / 1000)
        if row.first_byte_ms is not None:
            first.setdefault(whose[:2], []).append(row.first_byte_ms / 1000)
    found = samples(page)
    assert named(found, "lynkr_requests_total", *WHOSE, "outcome", "status") == requests
    assert named(found, "lynkr_tokens_total", *WHOSE, "kind") == +tokens
    assert named(found, "lynkr_unserved_total", "profile", "lane", "status") == unserved
    assert named(found, "lynkr_answered_total", "profile", "how") == answered
    assert named(found, "lynkr_unpriced_requests_total", *WHOSE) == unpriced
    for name, sums in (("cost", cost), ("baseline", baseline)):
        said = named(found, f"lynkr_{name}_usd_total", *WHOSE)
        assert said == pytest.approx({key: math.fsum(values) for key, values in sums.items()})
    for name, times in (("request_duration", took), ("first_byte", first)):
        counted = named(found, f"lynkr_{name}_seconds_count", "profile", "lane")
        assert counted == {key: len(values) for key, values in times.items()}
        added = named(found, f"lynkr_{name}_seconds_sum", "profile", "lane")
        assert added == pytest.approx({key: math.fsum(values) for key, values in times.items()})
        buckets = named(found, f"lynkr_{name}_seconds_bucket", "profile", "lane", "le")
        for (*key, bound), value in buckets.items():
            assert value == sum(each <= float(bound) for each in times[*key])


def mixed(asked: Asked) -> Iterable[Step]:
    """Does what it is asked for by the prompt."""
    words = str(asked.json["messages"][-1]["content"])
    if "refuse" in words:
        return whole({"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}, 400)
    if "later" in words:
        return whole({"type": "error", "error": {"type": "overloaded_error", "message": "Later."}}, 529)
    events = anthropic_events([{"type": "text", "text": "Yes."}], "end_turn", ANTHROPIC_USAGE, asked.json["model"])
    if "cut" in words:
        return [STREAM_HEAD, *map(chunk, events[:4]), Pause(0.1), Cut()]
    if "hang" in words:
        return [STREAM_HEAD, *map(chunk, events[:4]), Hang()]
    return anthropic("Yes.")(asked)


def asks(words: str, *, streamed: bool = False, model: str = "claude-haiku-5-5") -> bytes:
    said: dict[str, Any] = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": words}]}
    return json.dumps({**said, "stream": streamed}).encode()


def goes_away(serve: Serve, words: str) -> None:
    """Reads the beginning of an answer, and no more."""
    with connect(serve.port) as connection:
        connection.sendall(request(serve.port, "/v1/messages", asks(words, streamed=True), secret=serve.token))
        assert connection.recv(100)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serve, int]]:
    """A proxy after requests of every fate, and how many there were."""
    home = tmp_path_factory.mktemp("loaded")
    with upstream(mixed) as first, upstream(chat("Instead.")) as second:
        profile(home, "mixed", MIXED.format(url=first.url, other=second.url))
        profile(home, "plain", LANE.format(name="main", url=first.url))
        with serving(home, "-p", "mixed", "-p", "plain") as found:
            statuses = [
                *(found.ask(body=asks(f"Say yes {number}.", streamed=number % 2 == 0)).status for number in range(10)),
                *(found.ask(body=asks("Say yes 1.")).status for _ in range(3)),
                *(found.ask(body=asks("refuse this")).status for _ in range(2)),
                found.ask(body=asks("cut this", streamed=True)).status,
                found.ask("/v1/messages/count_tokens", asks("How long?")).status,
                found.ask("/p/plain/v1/messages", asks("Say yes.")).status,
                found.ask("/p/plain/v1/messages", asks("refuse this")).status,
                found.ask("/v1/messages", b"{").status,
                found.get("/v1/models").status,
            ]
            assert statuses[:13] == [200] * 13
            goes_away(found, "hang on")
            statuses += [found.ask(body=asks(f"later {number}")).status for number in range(5)]
            assert statuses[-5:] == [200] * 5
            until(lambda: len(found.rows()) == len(statuses) + 1)
            yield found, len(statuses) + 1


def test_what_is_counted_is_what_the_ledger_holds(loaded: tuple[Serve, int]) -> None:
    serve, count = loaded
    rows = serve.rows()
    assert len(rows) == count
    assert {row.outcome for _, row in rows} == {"ok", "refused", "cut", "gone"}
    assert sum(row.answered is not None for _, row in rows) == 3
    assert any(row.tried and row.lane == "second" and row.status == 200 for _, row in rows)
    assert {row.cost_usd is None for _, row in rows} == {True, False}
    agrees(serve.get("/metrics").body, rows)


def test_nothing_is_under_way_when_all_is_over_and_a_lane_rests(loaded: tuple[Serve, int]) -> None:
    serve, _ = loaded
    found = samples(serve.get("/metrics").body)
    assert found["lynkr_requests_in_flight", frozenset()] == 0
    assert found["lynkr_connections", frozenset()] == 1  # ours
    resting = named(found, "lynkr_lane_resting", "profile", "lane")
    assert resting == {("mixed", "first"): 1, ("mixed", "second"): 0, ("plain", "main"): 0}


def test_what_is_counted_only_grows_also_over_a_reload(loaded: tuple[Serve, int]) -> None:
    serve, _ = loaded
    before = samples(serve.get("/metrics").body)
    serve.lynkr("serve", "reload")
    after = samples(serve.get("/metrics").body)
    ends = ("_total", "_count", "_sum", "_bucket")
    mine = [key for key in before if key[0].startswith("lynkr_") and key[0].endswith(ends)]
    assert len(mine) > 50
    assert all(after[key] >= before[key] for key in mine)


def test_a_profile_has_no_other_page_than_the_proxy(loaded: tuple[Serve, int]) -> None:
    serve, _ = loaded
    pages = [samples(serve.get(f"{path}/metrics").body) for path in ("", "/p/plain")]
    assert pages[0]["lynkr_connections", frozenset()] == pages[1].get(("lynkr_connections", frozenset()))


def test_a_page_is_what_prometheus_asks_for(loaded: tuple[Serve, int]) -> None:
    answer = loaded[0].get("/metrics")
    assert (answer.header("content-type") or "").startswith("text/plain; version=0.0.4")
    for family in text_string_to_metric_families(answer.body.decode()):
        assert family.type != "unknown"
        assert family.documentation


def test_no_label_and_no_value_has_a_word_of_a_prompt_a_key_or_the_token(loaded: tuple[Serve, int]) -> None:
    serve, _ = loaded
    page = serve.get("/metrics").body.decode()
    for word in ("hang on", "Say yes", "refuse this", "sk-", serve.token):
        assert word not in page


def labels_after(names: Iterable[str], **lane: Any) -> tuple[set[str], int]:
    """(the models that have a label once each of these was asked for, how many requests were counted)."""
    with upstream(anthropic()) as up, proxy(anthropic_lane(up.url, **lane)) as found, connect(found.port) as connection:
        asked = 0
        for name in names:
            connection.sendall(request(found.port, "/v1/messages", asks("Hi", model=name)))
            assert read(connection).status == 200
            asked += 1
        counted = named(samples(ask(found.port, "/metrics", method="GET").body), "lynkr_requests_total", *WHOSE,
                        "outcome", "status")  # fmt: skip
    assert sum(counted.values()) == asked
    return {key[3] for key in counted}, asked


def test_a_thousand_names_of_models_are_one_label(clean_machine: Path) -> None:
    names = [f"claude-{number:08x}" for number in range(994)]
    odd = ['a"b', "a\\b", "a\nb", "\ud800", "", "x" * 5000]
    assert labels_after([*names, *odd]) == ({"other"}, 1000)


def test_a_model_that_has_a_price_has_its_own_label(clean_machine: Path) -> None:
    known = {"claude-haiku-5-5", "claude-opus-5-5"}
    assert labels_after([*known, "claude-of-mine"])[0] == known | {"other"}


def test_a_thousand_dates_of_a_known_model_are_few_labels(clean_machine: Path) -> None:
    names = [f"claude-haiku-5-5-20{number:06}" for number in range(200)]
    assert len(labels_after(names)[0]) < 10


def test_a_session_of_a_tool_has_the_same_page(clean_machine: Path) -> None:
    said = [asks("Say yes 1."), asks("refuse this"), asks("Say yes 2.", streamed=True)]
    script = "".join(f"curl -s -o /dev/null -d '{body.decode()}' $LYNKR_URL/v1/messages\n" for body in said)
    script += "curl -s $LYNKR_URL/health/ready | grep -q '\"ok\"' && curl -s $LYNKR_URL/metrics"
    with upstream(mixed) as up:
        profile(clean_machine, "work", LANE.format(name="main", url=up.url))
        ran = lynkr("run", "-p", "work", "--", "sh", "-c", script, home=clean_machine, ANTHROPIC_API_KEY="sk-x")
    assert ran.status == 0, ran.err
    with Ledger(clean_machine / "lynkr" / "data" / "ledger.db") as ledger:
        rows = list(ledger.between())
    assert sorted(row.outcome for _, row in rows) == ["ok", "ok", "refused"]
    agrees(ran.out.encode(), rows)
