"""How lanes come to their credential: a key from the vendor's own variable, or the user's login at a cloud.

Whole sessions (`lynkr run -- python …`) in a clean environment. The strict upstream verifies what arrives: an AWS
signature with a verifier of our own, and of a token that the cloud's login server has given it out.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from conftest import Ran, lynkr, profile
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from providers import PROVIDERS
from saying import first, second
from scripts import Asked, Script, Step, upstream, whole
from sigv4 import Unsigned, verify
from strict import CREDENTIALS, KEY, USERS, Described, Look, Strict

BY_NAME = {one.name: one for one in PROVIDERS}
CLIENT = f"""
import json, os, sys, urllib.error, urllib.request
for body in json.load(open(sys.argv[1])):
    headers = {{"Content-Type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": {USERS!r}}}
    asked = urllib.request.Request(os.environ["LYNKR_URL"] + "/v1/messages?beta=true", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(asked) as answer:
            print(answer.status, len(answer.read()) > 0)
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode())
"""
SERVED = "200 True\n200 True\n"
# No machine to ask for a role, whatever these tests run on.
ALONE = {"AWS_EC2_METADATA_DISABLED": "true", "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential", "NO_GCE_CHECK": "true"}


def session(described: Described, script: Script, home: Path, *more: str, **env: str) -> Ran:
    """Two turns, streamed and not, in a session on this provider's lane."""
    with upstream(script) as up:
        lines = [described.lane.replace("{url}", up.url), *more]
        profile(home, "theirs", "[lanes.main]\n" + "\n".join(lines) + "\n")
        turns = home / "turns.json"
        turns.write_text(json.dumps([first("anthropic") | {"stream": True}, second("anthropic")]))
        named = {name: value.replace("{url}", up.url) for name, value in {**ALONE, **env}.items()}
        return lynkr("run", "-q", "-p", "theirs", "--", sys.executable, "-c", CLIENT, str(turns), home=home, **named)


VARIABLES = {one.variable: one for one in reversed(PROVIDERS) if one.variable}


@pytest.mark.parametrize("described", VARIABLES.values(), ids=VARIABLES)
def test_a_key_is_found_where_the_vendors_own_sdk_reads_it(described: Described, clean_machine: Path) -> None:
    strict = Strict(described)
    ran = session(described, strict, clean_machine, **{described.variable: KEY})
    assert (strict.wrong, ran.out) == ([], SERVED), ran.err


# --- Amazon -----------------------------------------------------------------------------------------------------------

ACCESS, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2VjEXAMPLE//"
BEDROCKS = {"bedrock-mantle": "bedrock-mantle", "bedrock-invoke": "bedrock", "bedrock-converse": "bedrock"}
IN_VARIABLES = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}


def signed(service: str, token: str | None) -> Look:
    """A signature of the user's, for this service, in the lane's region."""

    def look(asked: Asked, _: dict[str, Any]) -> str | None:
        found = sorted(name.lower() for name, _ in asked.headers if name.lower() in CREDENTIALS)
        if found != ["authorization", *(["x-amz-security-token"] if token else [])]:
            return f"the credentials are {found}"
        if asked.header("x-amz-security-token") != token:
            return "the session's token is another"
        try:
            verify(
                asked.method,
                asked.target,
                asked.headers,
                asked.body,
                region="eu-west-1",
                service=service,
                secret=SECRET,
            )
        except Unsigned as why:
            return str(why)
        return None

    return look


@pytest.mark.parametrize("name", BEDROCKS)
def test_a_request_is_signed_as_the_user_that_the_variables_name(name: str, clean_machine: Path) -> None:
    strict = Strict(BY_NAME[name], signed(BEDROCKS[name], TOKEN))
    ran = session(BY_NAME[name], strict, clean_machine, **IN_VARIABLES)
    assert (strict.wrong, ran.out) == ([], SERVED), ran.err


def test_a_request_is_signed_as_the_user_that_the_shared_files_name(clean_machine: Path) -> None:
    folder = clean_machine / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(f"[work]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    strict = Strict(BY_NAME["bedrock-invoke"], signed("bedrock", None))
    ran = session(BY_NAME["bedrock-invoke"], strict, clean_machine, 'auth = "cloud"', AWS_PROFILE="work")
    assert (strict.wrong, ran.out) == ([], SERVED), ran.err


def test_a_login_is_asked_of_the_users_own_program(clean_machine: Path) -> None:
    """What `aws sso` and others plug in: a process that prints the credentials."""
    said = {"Version": 1, "AccessKeyId": ACCESS, "SecretAccessKey": SECRET, "SessionToken": TOKEN}
    (clean_machine / "said.json").write_text(json.dumps(said))
    (clean_machine / ".aws").mkdir()
    (clean_machine / ".aws" / "config").write_text(f"[default]\ncredential_process = cat {clean_machine}/said.json\n")
    strict = Strict(BY_NAME["bedrock-mantle"], signed("bedrock-mantle", TOKEN))
    ran = session(BY_NAME["bedrock-mantle"], strict, clean_machine)
    assert (strict.wrong, ran.out) == ([], SERVED), ran.err


def test_a_key_counts_before_a_login(clean_machine: Path) -> None:
    strict = Strict(BY_NAME["bedrock-invoke"])
    ran = session(BY_NAME["bedrock-invoke"], strict, clean_machine, AWS_BEARER_TOKEN_BEDROCK=KEY, **IN_VARIABLES)
    assert (strict.wrong, ran.out) == ([], SERVED), ran.err


# --- Google, Databricks, Azure: a login server gives out the token ------------------------------------------------------


@dataclasses.dataclass
class LoginServer:
    """Gives the token to who asks as it must be asked, and serves the provider behind it."""

    strict: Strict
    path: str
    asks: Any
    given: list[str] = dataclasses.field(default_factory=list)

    def __call__(self, asked: Asked) -> Iterable[Step]:
        if asked.path != self.path:
            return self.strict(asked)
        self.given.append(asked.target)
        return self.asks(asked)


def gives(**more: Any) -> list[Step]:
    return whole(json.dumps({"access_token": KEY, "token_type": "Bearer", "expires_in": 3599, **more}).encode())


@pytest.fixture(scope="module")
def google_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def google_account(home: Path, key: rsa.RSAPrivateKey, token_uri: str) -> str:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {"type": "service_account", "project_id": "my-project", "private_key_id": "k1", "private_key": pem,
               "client_email": "robot@my-project.iam.gserviceaccount.com", "client_id": "1", "token_uri": token_uri}  # fmt: skip
    path = home / "account.json"
    path.write_text(json.dumps(account))
    return str(path)


def assertion(asked: Asked, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """The claims of a service account's assertion, whose signature is verified (RFC 7523)."""
    form = parse_qs(asked.body.decode(), strict_parsing=True)
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, signature = form["assertion"][0].split(".")
    padded = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (signature, claims)]
    key.public_key().verify(padded[0], f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256())
    return dict(json.loads(padded[1]))


@pytest.mark.parametrize("name", ["vertex-claude", "vertex-gemini"])
def test_googles_default_credentials_are_used(name: str, google_key: rsa.RSAPrivateKey, clean_machine: Path) -> None:
    def asks(asked: Asked) -> list[Step]:
        claims = assertion(asked, google_key)
        assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
        assert claims["iss"] == "robot@my-project.iam.gserviceaccount.com"
        return gives()

    strict = Strict(BY_NAME[name])
    server = LoginServer(strict, "/token", asks)
    with upstream(server) as tokens:
        account = google_account(clean_machine, google_key, tokens.url + "/token")
        ran = session(BY_NAME[name], server, clean_machine, GOOGLE_APPLICATION_CREDENTIALS=account)
    assert (strict.wrong, ran.out, server.given) == ([], SERVED, ["/token"]), ran.err


@pytest.mark.parametrize("name", ["databricks-claude", "databricks-gpt-oss"])
def test_a_service_principal_of_databricks_is_logged_in_once(name: str, clean_machine: Path) -> None:
    def asks(asked: Asked) -> list[Step]:
        assert asked.header("authorization") == "Basic " + base64.b64encode(b"robot:dose-secret").decode()
        assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["all-apis"]}
        return gives()

    strict = Strict(BY_NAME[name])
    server = LoginServer(strict, "/oidc/v1/token", asks)
    named = {"DATABRICKS_CLIENT_ID": "robot", "DATABRICKS_CLIENT_SECRET": "dose-secret"}
    ran = session(BY_NAME[name], server, clean_machine, **named)
    assert (strict.wrong, ran.out, server.given) == ([], SERVED, ["/oidc/v1/token"]), ran.err


def azures_command_line(home: Path, script: str) -> str:
    """A PATH on which `az` is ours."""
    tool = home / "bin" / "az"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    return f"{tool.parent}:/usr/bin:/bin"


AZURES = {"azure-anthropic": "https://ai.azure.com", "azure-openai": "https://cognitiveservices.azure.com"}


@pytest.mark.parametrize("name", AZURES)
def test_an_azure_login_is_the_one_of_its_command_line(name: str, clean_machine: Path) -> None:
    until = int(time.time()) + 3600
    token = {"accessToken": KEY, "expires_on": until, "subscription": "s", "tenant": "t", "tokenType": "Bearer"}
    (clean_machine / "token.json").write_text(json.dumps(token))
    path = azures_command_line(clean_machine, f'echo "$*" >> {clean_machine}/asked\ncat {clean_machine}/token.json')
    strict = Strict(as_bearer(BY_NAME[name]))
    ran = session(BY_NAME[name], strict, clean_machine, PATH=path)
    assert (strict.wrong, ran.out) == ([], SERVED), ran.err
    assert AZURES[name] in (clean_machine / "asked").read_text()


@pytest.mark.parametrize("name", AZURES)
def test_an_azure_login_is_the_one_of_the_machine(name: str, clean_machine: Path) -> None:
    def asks(asked: Asked) -> list[Step]:
        assert asked.header("x-identity-header") == "of-this-machine"
        assert f"resource={AZURES[name]}" in asked.target.replace("%3A", ":").replace("%2F", "/")
        return gives(expires_on=str(int(time.time()) + 3600), resource=AZURES[name])

    strict = Strict(as_bearer(BY_NAME[name]))
    server = LoginServer(strict, "/msi/token", asks)
    machine = {"IDENTITY_ENDPOINT": "{url}/msi/token", "IDENTITY_HEADER": "of-this-machine"}
    ran = session(BY_NAME[name], server, clean_machine, AZURE_TOKEN_CREDENTIALS="ManagedIdentityCredential", **machine)
    assert (strict.wrong, ran.out, len(server.given)) == ([], SERVED, 1), ran.err


def as_bearer(described: Described) -> Described:
    """A token of Entra's goes into `Authorization` alone."""
    endpoints = [dataclasses.replace(endpoint, carries=("authorization",)) for endpoint in described.endpoints]
    return dataclasses.replace(described, endpoints=tuple(endpoints))


# --- nobody is logged in, or not any more -------------------------------------------------------------------------------


def never(asked: Asked) -> Iterator[Step]:
    raise AssertionError(f"{asked.target} was asked for")


def untold(ran: Ran, *words: str) -> list[str]:
    """What is not as it must be where a session is refused before it starts: status 78, one sentence, these words."""
    wrong = [f"status {ran.status}"] if ran.status != 78 else []
    wrong += [f"stdout {ran.out!r}"] if ran.out else []
    wrong += [f"more than a sentence: {ran.err!r}"] if len(ran.err.splitlines()) != 1 else []
    return wrong + [word for word in words if word not in ran.err]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param(
            "azure-anthropic",
            ("lane 'main'", "lynkr key set azure-anthropic", "ANTHROPIC_FOUNDRY_API_KEY", "az login"),
        ),
        ("bedrock-invoke", ("lane 'main'", "lynkr key set bedrock", "AWS_BEARER_TOKEN_BEDROCK", "aws sso login")),
        ("databricks-claude", ("lane 'main'", "lynkr key set databricks", "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_ID")),
        ("vertex-claude", ("lane 'main'", "gcloud auth application-default login")),
        ("groq", ("lane 'main'", "lynkr key set groq", "GROQ_API_KEY")),
    ],
)
def test_without_a_credential_the_tool_does_not_start(name: str, words: tuple[str, ...], clean_machine: Path) -> None:
    path = azures_command_line(clean_machine, 'echo "Please run az login to setup account." >&2; exit 1')
    assert untold(session(BY_NAME[name], never, clean_machine, PATH=path), *words) == []


def test_an_ended_google_login_is_one_sentence(google_key: rsa.RSAPrivateKey, clean_machine: Path) -> None:
    ended = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    with upstream(lambda _: whole(json.dumps(ended).encode(), 400)) as tokens:
        account = google_account(clean_machine, google_key, tokens.url + "/token")
        ran = session(BY_NAME["vertex-claude"], never, clean_machine, GOOGLE_APPLICATION_CREDENTIALS=account)
    assert untold(ran, "lane 'main'", "expired or revoked", "gcloud auth application-default login") == []


def test_a_wrong_secret_of_databricks_is_one_sentence(clean_machine: Path) -> None:
    wrong = {"error": "invalid_client", "error_description": "Client authentication failed"}
    server = LoginServer(
        Strict(BY_NAME["databricks-claude"]), "/oidc/v1/token", lambda _: whole(json.dumps(wrong).encode(), 401)
    )
    named = {"DATABRICKS_CLIENT_ID": "robot", "DATABRICKS_CLIENT_SECRET": "dose-wrong"}
    ran = session(BY_NAME["databricks-claude"], server, clean_machine, **named)
    assert untold(ran, "lane 'main'", "Client authentication failed", "DATABRICKS_CLIENT_SECRET") == []
    assert "dose-wrong" not in ran.err


def test_an_ended_aws_login_is_one_sentence(clean_machine: Path) -> None:
    (clean_machine / ".aws").mkdir()
    (clean_machine / ".aws" / "config").write_text("[default]\ncredential_process = sh -c 'echo gone >&2; exit 3'\n")
    ran = session(BY_NAME["bedrock-invoke"], never, clean_machine)
    assert untold(ran, "lane 'main'", "gone", "aws sso login") == []


@pytest.mark.parametrize(
    ("lane", "word"),
    [
        ('provider = "claude"', "Claude Code"),
        ('provider = "custom"\nformat = "openai-chat"\nmodel = "m"', "base_url"),
        ('provider = "custom"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"', "format"),
        ('provider = "azure-openai"\nmodel = "gpt-5.5"', "base_url"),
        ('provider = "databricks"\nmodel = "databricks-claude-sonnet-4-5"', "base_url"),
        ('provider = "bedrock"\nmodel = "anthropic.claude-opus-4-8"', "region"),
        ('provider = "vertex"\nmodel = "gemini-3-pro-preview"', "project"),
        ('provider = "vertex"\nproject = "my-project"', "model"),
    ],
)
def test_what_a_provider_needs_and_a_profile_does_not_say_is_named(lane: str, word: str, clean_machine: Path) -> None:
    profile(clean_machine, "theirs", f"[lanes.main]\n{lane}\n")
    keys = {"AZURE_API_KEY": KEY, "DATABRICKS_TOKEN": KEY, "AWS_BEARER_TOKEN_BEDROCK": KEY}
    ran = lynkr("run", "-p", "theirs", "--", "true", home=clean_machine, **ALONE, **keys)
    assert untold(ran, "main", word) == []
