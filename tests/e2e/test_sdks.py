"""The vendors' own SDKs, and a real llama.cpp server, through a session: streamed and not, in three formats."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TOOLS, Ran, lynkr, profile
from scripts import anthropic, chat, codex_loop, upstream

pytestmark = pytest.mark.real
MODEL = TOOLS / "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

ANTHROPIC = """
import anthropic, json, sys
client = anthropic.Anthropic()
ask = dict(model=sys.argv[1], max_tokens=16, extra_body={"temperature": 0}, messages=[{"role": "user", "content": "Say hello."}])
whole = client.messages.create(**ask)
with client.messages.stream(**ask) as stream:
    text = "".join(stream.text_stream)
    final = stream.get_final_message()
print(json.dumps([whole.content[0].text, text, final.content[0].text, final.usage.output_tokens]))
"""
CHAT = """
import json, openai, sys
client = openai.OpenAI()
ask = dict(model=sys.argv[1], max_tokens=16, temperature=0, messages=[{"role": "user", "content": "Say hello."}])
whole = client.chat.completions.create(**ask)
text, usage = "", None
for chunk in client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}):
    text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    usage = chunk.usage or usage
print(json.dumps([whole.choices[0].message.content, text, text, usage.completion_tokens]))
"""
RESPONSES = """
import json, openai, sys
client = openai.OpenAI()
ask = dict(model=sys.argv[1], max_output_tokens=16, temperature=0, input="Say hello.")
whole = client.responses.create(**ask)
final = None
for event in client.responses.create(**ask, stream=True):
    if event.type in ("response.completed", "response.incomplete"):
        final = event.response
print(json.dumps([whole.output_text, final.output_text, final.output_text, final.usage.output_tokens]))
"""
GEMINI = """
import json, os, sys
from google import genai
client = genai.Client(http_options={"base_url": os.environ["GOOGLE_GEMINI_BASE_URL"]})
ask = dict(model=sys.argv[1], contents="Say hello.", config={"max_output_tokens": 16, "temperature": 0})
whole = client.models.generate_content(**ask)
chunks = list(client.models.generate_content_stream(**ask))
text = "".join(chunk.text or "" for chunk in chunks)
print(json.dumps([whole.text, text, text, chunks[-1].usage_metadata.candidates_token_count]))
"""
# A history with two calls at once and their results, one of them an error. This model calls no tools by itself.
HISTORY = """
import anthropic, json, sys
client = anthropic.Anthropic()
tool = {"name": "look", "description": "Looks into a file", "input_schema": {"type": "object", "properties": {
    "file": {"type": "string"}}, "required": ["file"]}}
calls = [{"type": "tool_use", "id": f"toolu_{n}", "name": "look", "input": {"file": f"{n}.txt"}} for n in (1, 2)]
results = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "hello"},
           {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such file", "is_error": True}]
ask = dict(model=sys.argv[1], max_tokens=16, tools=[tool], system="Be brief.",
           messages=[{"role": "user", "content": "Look."}, {"role": "assistant", "content": calls},
                     {"role": "user", "content": [*results, {"type": "text", "text": "Well?"}]}])
with client.messages.stream(**ask) as stream:
    final = stream.get_final_message()
print(json.dumps([final.usage.input_tokens + final.usage.cache_read_input_tokens, final.usage.output_tokens]))
"""
CLIENTS = {"anthropic": ANTHROPIC, "openai-chat": CHAT, "openai-responses": RESPONSES, "gemini": GEMINI}


def session(home: Path, code: str, model: str, *options: str, **env: str) -> Ran:
    ran = lynkr("run", *options, "--", sys.executable, "-W", "ignore", "-c", code, model, home=home, **env)
    assert ran.status == 0, ran.err
    return ran


def test_anthropics_sdk(clean_machine: Path) -> None:
    with upstream(anthropic()) as up:
        ran = session(
            clean_machine, ANTHROPIC, "claude-opus-5-5", ANTHROPIC_BASE_URL=up.url, ANTHROPIC_API_KEY="sk-fake"
        )
    assert json.loads(ran.out) == ["All done.", "All done.", "All done.", 42]
    assert {asked.header("x-api-key") or asked.header("authorization") for asked in up.asked} <= {
        "sk-fake",
        "Bearer sk-fake",
    }
    totals = ran.report()["totals"]
    assert (totals["requests"], totals["output_tokens"], totals["estimated"]) == (2, 84, False)


def test_openais_sdk_on_chat(clean_machine: Path) -> None:
    with upstream(chat()) as up:
        ran = session(clean_machine, CHAT, "gpt-5.5", OPENAI_BASE_URL=up.url + "/v1", OPENAI_API_KEY="sk-fake")
    assert json.loads(ran.out) == ["All done.", "All done.", "All done.", 30]
    assert ran.report()["totals"]["cache_read_tokens"] == 2 * 512


def test_openais_sdk_on_responses_streams(clean_machine: Path) -> None:
    code = RESPONSES.replace("whole = client.responses.create(**ask)", "").replace("whole.output_text", "None")
    code = code.replace('input="Say hello."', 'input=[{"type": "function_call_output", "call_id": "c", "output": "x"}]')
    with upstream(codex_loop("ls")) as up:
        ran = session(clean_machine, code, "gpt-6.1-sol", OPENAI_BASE_URL=up.url + "/v1", OPENAI_API_KEY="sk-fake")
    assert json.loads(ran.out)[1:] == ["All done.", "All done.", 50]


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """A real llama.cpp server with a small real model; its base URL."""
    if importlib.util.find_spec("xllamacpp") is None or not MODEL.exists():
        pytest.skip("xllamacpp or the model is missing (tests/setup gets both)")
    assert hashlib.sha256(MODEL.read_bytes()).hexdigest() == MODEL_SHA256
    command = [sys.executable, "-m", "lynkr.demo.llama", str(MODEL)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout
        line = server.stdout.readline().split()
        assert line[0] == "listening"
        yield f"http://127.0.0.1:{line[1]}"
        server.terminate()


@pytest.mark.parametrize(("code", "provider", "tail"), [
    (ANTHROPIC, "anthropic", ""), (CHAT, "openai", "/v1"), (RESPONSES, "openai", "/v1"),
], ids=["messages", "chat", "responses"])  # fmt: skip
def test_a_real_model_answers_in_each_format(
    clean_machine: Path, llama: str, code: str, provider: str, tail: str
) -> None:
    text = f'[lanes.local]\nprovider = "{provider}"\nbase_url = "{llama}{tail}"\nkey_env = "LOCAL_KEY"\n'
    profile(clean_machine, "local", text)
    ran = session(clean_machine, code, "local", "-p", "local", LOCAL_KEY="none-needed")
    whole, streamed, final, count = json.loads(ran.out)
    assert whole
    assert streamed == final
    assert 0 < count <= 16
    report = ran.report()
    assert report["totals"]["requests"] == 2
    assert report["totals"]["output_tokens"] >= count
    assert (report["totals"]["cost_usd"], report["totals"]["unpriced_requests"]) == (None, 2)


def test_the_demo_runs_on_a_real_model(clean_machine: Path, llama: str) -> None:
    ran = lynkr("demo", "--gguf", str(MODEL), home=clean_machine)
    assert ran.status in (0, 1), ran.err  # this model is too small to mend anything
    assert "a real model" in ran.out
    assert "Requests" in ran.out


def local(home: Path, url: str, spoken: str) -> None:
    """A profile `local` whose one lane is a llama.cpp server, spoken to in `spoken`."""
    provider, tail = ("anthropic", "") if spoken == "anthropic" else ("openai", "/v1")
    lane = f'[lanes.local]\nprovider = "{provider}"\nformat = "{spoken}"\nbase_url = "{url}{tail}"\n'
    profile(home, "local", lane + 'auth = "none"\nmodel = "local"\n')


@pytest.mark.parametrize(("client", "spoken"), [
    (client, spoken) for client in CLIENTS for spoken in ("anthropic", "openai-chat", "openai-responses")
    if client != spoken
])  # fmt: skip
def test_a_real_model_answers_clients_of_every_other_format(
    clean_machine: Path, llama: str, client: str, spoken: str
) -> None:
    local(clean_machine, llama, spoken)
    ran = session(clean_machine, CLIENTS[client], "some-model", "-p", "local")
    whole, streamed, final, count = json.loads(ran.out)
    assert whole
    assert streamed == final
    assert 0 < count <= 16
    report = ran.report()
    assert [request["status"] for request in report["requests"]] == [200, 200]
    assert report["totals"]["output_tokens"] >= count
    assert report["totals"]["estimated"] is False


@pytest.mark.parametrize("client", list(CLIENTS))
def test_a_llama_cpp_lane_needs_no_more_than_its_address(clean_machine: Path, llama: str, client: str) -> None:
    lane = f'[lanes.local]\nprovider = "llamacpp"\nbase_url = "{llama}/v1"\nmodel = "local"\n'
    profile(clean_machine, "local", lane)
    ran = session(clean_machine, CLIENTS[client], "some-model", "-p", "local")
    whole, streamed, final, _ = json.loads(ran.out)
    assert whole
    assert streamed == final
    assert [request["status"] for request in ran.report()["requests"]] == [200, 200]


@pytest.mark.parametrize("spoken", ["openai-chat", "openai-responses"])
def test_a_real_server_takes_a_history_with_calls_and_results(clean_machine: Path, llama: str, spoken: str) -> None:
    local(clean_machine, llama, spoken)
    ran = session(clean_machine, HISTORY, "some-model", "-p", "local")
    prompt, output = json.loads(ran.out)
    assert prompt > 30
    assert output > 0
    assert ran.report()["totals"]["estimated"] is False
