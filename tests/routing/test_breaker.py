"""A lane that fails again and again is left alone, for longer each time, until one request finds it well."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr.routing.breaker import LONGEST_S, SPENT_S, TRIAL_S, Health

few = settings(max_examples=150, deadline=None)
NOW = 1_795_000_000.0
LIMIT, REST = 3, 30.0


def failing(health: Health, now: float, times: int = 1, after_s: float | None = None) -> Health:
    for _ in range(times):
        health = health.failed(now, "529: overloaded", LIMIT, REST, after_s)
    return health


def opened(now: float = NOW) -> Health:
    return failing(Health(), now, LIMIT)


def test_a_lane_is_asked_until_it_has_failed_so_often_in_a_row() -> None:
    health = Health()
    assert health.state(NOW) == "closed"
    for _ in range(LIMIT - 1):
        health = failing(health, NOW)
        assert health.state(NOW) == "closed"
    health = failing(health, NOW)
    assert (health.state(NOW), health.until, health.why) == ("open", NOW + REST, "529: overloaded")


@pytest.mark.parametrize(("limit", "failures"), [(1, 1), (2, 2), (5, 5)])
def test_how_often_is_the_profiles_to_say(limit: int, failures: int) -> None:
    health = Health()
    for n in range(1, failures + 1):
        health = health.failed(NOW, "", limit, 10.0)
        assert (health.state(NOW) == "open") is (n == limit)
    assert health.until == NOW + 10.0


def test_failures_that_lie_far_apart_are_not_in_a_row() -> None:
    health = Health()
    for n in range(10):
        health = failing(health, NOW + n * 61)
        assert health.state(NOW + n * 61) == "closed"
    assert failing(failing(health, NOW + 600), NOW + 601).state(NOW + 601) == "open"


def test_after_its_rest_one_request_tries_and_the_others_go_on_as_if_it_rested() -> None:
    health, over = opened(), NOW + REST
    assert health.state(over - 0.001) == "open"
    assert health.state(over) == "half-open"
    tried = health.tried(over)
    assert tried.state(over) == "open"
    assert tried.state(over + TRIAL_S - 0.001) == "open"
    assert tried.state(over + TRIAL_S) == "half-open", "whoever tried never came back"


def test_whoever_tried_and_has_gone_leaves_it_to_another() -> None:
    health, over = opened(), NOW + REST
    assert health.tried(over).untried().state(over + 1) == "half-open"


def test_each_trial_that_fails_doubles_the_rest_up_to_a_limit() -> None:
    health, now, rests = opened(), NOW, [REST]
    for _ in range(7):
        now = health.until
        health = failing(health.tried(now), now)
        assert health.state(now) == "open"
        rests.append(health.until - now)
    assert rests == [30, 60, 120, 240, 480, 600, 600, 600]
    assert rests[-1] == LONGEST_S


def test_requests_that_were_under_way_when_it_opened_do_not_lengthen_the_rest() -> None:
    health = failing(Health(), NOW, 10)
    assert health.until == NOW + REST
    later = failing(opened(), NOW + 5, 5)
    assert later.until <= NOW + 5 + REST


def test_a_lane_that_was_never_well_again_can_go_on_failing() -> None:
    health, now = opened(), NOW
    for _ in range(1200):
        now = health.until
        health = failing(health.tried(now), now, after_s=1.0)
    now = health.until
    assert failing(health.tried(now), now).until == now + LONGEST_S


@pytest.mark.parametrize(("after_s", "rest"), [(7.0, 7.0), (90.0, 90.0), (SPENT_S, SPENT_S), (86400.0, SPENT_S)])
def test_what_a_lane_says_of_when_to_come_back_counts_at_once(after_s: float, rest: float) -> None:
    health = failing(Health(), NOW, after_s=after_s)
    assert health.until == NOW + rest
    assert health.state(NOW + rest - 0.001) == "open"
    assert health.state(NOW + rest) == "half-open"


def test_a_short_word_of_the_lane_does_not_end_a_longer_rest() -> None:
    health = failing(Health(), NOW, after_s=300.0)
    assert failing(health, NOW + 1, after_s=2.0).until == NOW + 300


STEPS = st.lists(st.tuples(st.sampled_from(["fail", "say", "try"]), st.floats(0, 200), st.floats(0, 2000)), max_size=30)


@few
@given(STEPS)
def test_a_rest_always_ends_and_never_begins_without_failures(steps: list[tuple[str, float, float]]) -> None:
    health, now = Health(), NOW
    failures = 0
    for kind, pause, after_s in steps:
        now += pause
        if kind == "try":
            health = health.tried(now) if health.state(now) == "half-open" else health
        else:
            failures += 1
            health = failing(health, now, after_s=after_s if kind == "say" else None)
        assert failures or health.state(now) == "closed"
        assert max(health.until, health.trial) <= now + SPENT_S
        assert health.state(now + SPENT_S) in ("closed", "half-open")
        assert health.state(now) != "closed" or not health.until
