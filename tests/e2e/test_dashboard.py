"""The dashboard of docs/deploy on a real Prometheus, which scrapes a `lynkr serve` under load as docs/deploy says.

Every expression, and every variable's query, is read from the dashboard's file and has to find something: a name or a
label that the proxy does not have is an empty panel, which nobody sees until it is needed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import command_line, environment, profile
from scripts import ANTHROPIC_USAGE, Asked, Pause, Step, anthropic, anthropic_events, stream, upstream, whole

pytestmark = pytest.mark.real
DEPLOY = Path(__file__).parent.parent.parent / "docs" / "deploy"
BOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
TARGETS = [(panel["title"], target) for panel in BOARD["panels"] for target in panel.get("targets", [])]
VARIABLES = {each["name"]: each for each in BOARD["templating"]["list"] if each["type"] == "query"}
TOKEN = "0123456789abcdef0123456789abcdef"
SECONDS = 8
LANE = '[lanes.{0}]\nprovider = "anthropic"\nbase_url = "{1}"\nmodel = "{2}"\nkey_env = "K"\n'
WORK = '[tiers]\ncomplex = ["away", "main"]\n[route]\nmode = "off"\nbreaker_rest_s = 2\n'
HOUSE = '[tiers]\ncomplex = ["house"]\n[route]\nmode = "off"\n[cache]\nanswers = "exact"\n'


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that has scraped; `began` and `ended` are when, in Unix time."""

    url: str
    began: float
    ended: float

    def get(self, path: str, **parameters: Any) -> Any:
        said = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10).json()
        assert said["status"] == "success", said
        return said["data"]


def script(asked: Asked) -> list[Step]:
    if b"claude-away" in asked.body:
        return whole({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529)
    if b"take your time" in asked.body:
        events = anthropic_events([{"type": "text", "text": "…"}], "end_turn", ANTHROPIC_USAGE, "claude-haiku-4-5")
        return stream(events, pause=SECONDS / len(events))
    if b"refuse" in asked.body:
        return whole({"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}, 400)
    if b"brief" in asked.body:
        return [Pause(0.3), *anthropic("Yes.")(asked)]
    return list(anthropic("All done.")(asked))


def question(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "claude-opus-4-8", "max_tokens": 99, "messages": [{"role": "user", "content": text}], **more}


def with_a_result(number: int) -> dict[str, Any]:
    """A conversation whose tool said much that needs no saying."""
    lines = "\n".join(f"tests/test_numbers.py::test_{at} PASSED [ {at}%]" for at in range(99))
    text = f"===== test session starts =====\ncollected 99 items\n\n{lines}\n\n===== 99 passed in {number}.07s ====="
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "pytest -v"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": text}
    said = [("user", f"Run the tests, {number}."), ("assistant", [call]), ("user", [result])]
    return question("", messages=[{"role": role, "content": content} for role, content in said])


def traffic(url: str) -> None:
    """Asks for a while: what is served, refused, shed, shortened, answered before, without a price; a lane is away."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=30) as client:

        def ask(body: dict[str, Any], place: str = "") -> int:
            return client.post(f"{place}/v1/messages", json=body).status_code

        with ThreadPoolExecutor(8) as pool:
            long = pool.submit(ask, question("take your time", stream=True))
            time.sleep(0.5)  # so that it is not the one that is turned away
            seen, end = set[int](), time.monotonic() + SECONDS
            for number in range(10 * SECONDS):
                seen.update(pool.map(ask, [question(f"brief {number} {at}") for at in range(6)]))
                seen.update((ask(question(f"refuse {number}")), ask(with_a_result(number))))
                seen.update(ask(question(text), "/p/house") for text in (f"one {number}", "the same again"))
                if time.monotonic() > end:
                    break
            assert (long.result(), seen) == (200, {200, 400, 503})


@contextlib.contextmanager
def started(words: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(words, text=True, **more) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def prometheus(folder: Path, port: int) -> Iterator[str]:
    """Runs Prometheus with the configuration of docs/deploy, at another address and faster."""
    (folder / "token").write_text(TOKEN + "\n")
    config = (DEPLOY / "prometheus.yml").read_text("utf-8")
    for there, here in (("lynkr:8711", f"127.0.0.1:{port}"), ("15s", "1s"), ("/run/secrets/lynkr_token", "token")):
        assert there in config
        config = config.replace(there, here)
    (folder / "prometheus.yml").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log, started(
        ["prometheus", *words, f"--web.listen-address={address}"], stdout=log, stderr=log
    ):  # fmt: skip
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://{address}/-/ready").status_code == 200:
                    break
            time.sleep(0.1)
        else:
            pytest.fail((folder / "log").read_text())
        yield f"http://{address}"


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian's package prometheus)")
    home = tmp_path_factory.mktemp("watched")
    with upstream(script) as up:
        profile(
            home,
            "work",
            WORK + LANE.format("away", up.url, "claude-away") + LANE.format("main", up.url, "claude-haiku-4-5"),
        )
        profile(home, "house", HOUSE + LANE.format("house", up.url, "made-in-this-house"))
        words = command_line("serve", "-p", "work", "-p", "house", "--port", "0", "--max-requests", "4")
        env = environment(home, K="sk-fake", LYNKR_SERVE_TOKEN=TOKEN)
        with (home / "serve.log").open("w") as log, started(
            words, env=env, cwd=home, stdout=subprocess.PIPE, stderr=log
        ) as served:  # fmt: skip
            assert served.stdout is not None
            url = served.stdout.readline().split()[1].removesuffix(f"/{TOKEN}")
            with prometheus(home, int(url.rpartition(":")[2])) as address:
                began = time.time()
                traffic(url)
                time.sleep(1.5)
                yield Prometheus(address, began, time.time())


def with_values(text: str) -> str:
    """An expression as Grafana sends it, with all chosen of every variable."""
    for name, value in {"__rate_interval": "4s", "__range": f"{SECONDS}s", **dict.fromkeys(VARIABLES, ".*")}.items():
        text = text.replace(f"${name}", value)
    assert "$" not in text, "a variable that the dashboard does not have"
    return text


def test_prometheus_gets_in_with_the_token(scraped: Prometheus) -> None:
    (found,) = scraped.get("query", query='up{job="lynkr"}')["result"]
    assert found["value"][1] == "1"


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[f"{title}-{target['refId']}" for title, target in TARGETS])
def test_every_expression_of_the_dashboard_finds_figures(
    scraped: Prometheus, title: str, target: dict[str, Any]
) -> None:
    query = with_values(target["expr"])
    if target.get("instant"):
        found = scraped.get("query", query=query, time=scraped.ended)["result"]
        figures = [float(each["value"][1]) for each in found]
    else:
        found = scraped.get("query_range", query=query, start=scraped.began, end=scraped.ended, step=1)["result"]
        figures = [float(value) for each in found for _, value in each["values"]]
    assert any(figure > 0 for figure in figures), f"{title}: {query} is {figures}"
    shown = [word.partition("}}")[0] for word in target["legendFormat"].split("{{")[1:]]
    assert all(each["metric"].get(label) for each in found for label in shown)


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_of_the_dashboard_has_values_to_choose(scraped: Prometheus, name: str) -> None:
    selector, _, label = with_values(VARIABLES[name]["query"]["query"]).removeprefix("label_values(").rpartition(", ")
    values = set(scraped.get(f"label/{label.removesuffix(')')}/values", **{"match[]": selector}))
    assert values >= {"profile": {"work", "house"}, "lane": {"away", "main", "house"}}.get(name, set())
    assert values
