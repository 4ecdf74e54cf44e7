"""The verifier of AWS's signatures, held against AWS's published examples and against botocore's signer.

Vectors: docs.aws.amazon.com, "Signature Version 4 test suite" (its requests, by name), "Signing process" (IAM ListUsers)
and "Signature calculations for the Authorization header" (S3 GET Object). The keys in them are AWS's examples.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
import sigv4
from sigv4 import Unsigned, verify

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
THEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = ("Host", "example.amazonaws.com")
DATE = ("X-Amz-Date", "20150830T123600Z")
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthA"
    "x7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q"
    "6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)


class Vector(NamedTuple):
    """A request of the test suite and the signature that is published for it."""

    name: str
    signature: str
    method: str = "GET"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


SUITE = [
    Vector("get-vanilla", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    Vector("get-relative", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", target="/example/.."),
    Vector(
        "get-vanilla-query-order-key-case",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        target="/?Param2=value2&Param1=value1",
    ),
    Vector(
        "get-vanilla-query-unreserved",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        target=f"/?{UNRESERVED}={UNRESERVED}",
    ),
    Vector("post-vanilla", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "POST"),
    Vector(
        "post-header-value-case",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        "POST",
        headers=(("My-Header1", "VALUE1"),),
    ),
    Vector(
        "get-header-value-trim",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        headers=(("My-Header1", " value1"), ("My-Header2", '"a   b   c"')),
    ),
    Vector(
        "post-x-www-form-urlencoded",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        "POST",
        headers=(FORM,),
        body=b"Param1=value1",
    ),
    Vector(
        "post-sts-header-before",
        "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        "POST",
        headers=(("X-Amz-Security-Token", TOKEN),),
    ),
]


def authorized(scope: str, headers: list[tuple[str, str]], signature: str) -> list[tuple[str, str]]:
    signed = ";".join(sorted(name.lower() for name, _ in headers))
    said = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature={signature}"
    return [*headers, ("Authorization", said)]


@pytest.mark.parametrize("vector", SUITE, ids=[vector.name for vector in SUITE])
def test_the_published_suite_verifies(vector: Vector) -> None:
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    headers = authorized(scope, [HOST, DATE, *vector.headers], vector.signature)
    given = {"region": "us-east-1", "service": "service", "secret": SECRET, "now": THEN}
    assert verify(vector.method, vector.target, headers, vector.body, **given) == "AKIDEXAMPLE"
    with pytest.raises(Unsigned, match="does not match"):
        verify(vector.method, vector.target, headers, vector.body + b"x", **given)


def test_the_worked_example_of_the_documentation_verifies() -> None:
    headers = [("Host", "iam.amazonaws.com"), ("Content-Type", FORM[1] + "; charset=utf-8"), DATE]
    headers = authorized(
        "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request",
        headers,
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    )
    target = "/?Action=ListUsers&Version=2010-05-08"
    given = {"region": "us-east-1", "service": "iam", "secret": SECRET, "now": THEN}
    assert verify("GET", target, headers, b"", **given) == "AKIDEXAMPLE"
    key = sigv4.signing_key(SECRET, "20150830", "us-east-1", "iam")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


def test_s3s_documented_get_verifies() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = [
        ("Host", "examplebucket.s3.amazonaws.com"),
        ("Range", "bytes=0-9"),
        ("x-amz-content-sha256", empty),
        ("x-amz-date", "20130524T000000Z"),
    ]
    headers = authorized(
        "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
        headers,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    )
    given = {"region": "us-east-1", "service": "s3", "secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
    assert verify("GET", "/test.txt", headers, b"", now=datetime(2013, 5, 24, tzinfo=UTC), **given)


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke", "…-v1%3A0/invoke"),
        ("/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke", "…-v1%253A0/invoke"),
        ("/%E1%88%B4", "/%25E1%2588%25B4"),
        ("//a/./b//../c/", "/a/c/"),
    ],
)
def test_a_path_is_encoded_once_more_than_it_is_on_the_wire(target: str, uri: str) -> None:
    assert sigv4.canonical_uri(target, service="bedrock").endswith(uri.removeprefix("…"))


# --- botocore, as another implementation -------------------------------------------------------------------------------

BODY = b'{"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9}'
MODELS = [
    "us.anthropic.claude-haiku-4-5-20251001-v1%3A0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc",
    "anthropic.claude-opus-4-8",
]


def signed_by_botocore(target: str, token: str | None = None, service: str = "bedrock") -> list[tuple[str, str]]:
    auth = pytest.importorskip("botocore.auth")
    requests, credentials = pytest.importorskip("botocore.awsrequest"), pytest.importorskip("botocore.credentials")
    headers = {"Content-Type": "application/json", "Accept": "*/*", "Host": "127.0.0.1:4711"}
    request: Any = requests.AWSRequest("POST", f"http://127.0.0.1:4711{target}", headers=headers, data=BODY)
    auth.SigV4Auth(credentials.Credentials("AKIDEXAMPLE", SECRET, token), service, "eu-west-1").add_auth(request)
    return [(name, value) for name, value in request.headers.items()]


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("model", MODELS)
def test_what_botocore_signs_verifies(model: str, token: str | None) -> None:
    target = f"/model/{model}/invoke-with-response-stream?b=2&a=%20x"
    headers = signed_by_botocore(target, token)
    assert verify("POST", target, headers, BODY, region="eu-west-1", service="bedrock", secret=SECRET) == "AKIDEXAMPLE"


def changed(headers: list[tuple[str, str]], name: str, value: str) -> list[tuple[str, str]]:
    return [(key, value if key.lower() == name else was) for key, was in headers]


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("method", {"method": "PUT"}),
        ("path", {"target": "/model/b/invoke"}),
        ("query", {"target": "/model/a/invoke?x=1"}),
        ("body", {"body": BODY + b" "}),
        ("region", {"region": "us-east-1"}),
        ("service", {"service": "bedrock-mantle"}),
        ("secret", {"secret": "another"}),
        ("clock", {"later": timedelta(minutes=16)}),
        ("host", {"header": ("host", "127.0.0.1")}),
        ("token", {"header": ("x-amz-security-token", "another")}),
        ("type", {"header": ("content-type", "text/plain")}),
        ("date", {"header": ("x-amz-date", "20150830T123600Z")}),
    ],
)
def test_nothing_that_is_signed_can_change(what: str, given: dict[str, Any]) -> None:
    headers = signed_by_botocore("/model/a/invoke", TOKEN)
    match given:
        case {"header": (name, value)}:
            given = {"headers": changed(headers, name, value)}
        case {"later": later}:
            signed = next(value for name, value in headers if name.lower() == "x-amz-date")
            given = {"now": datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + later}
    said = {"method": "POST", "target": "/model/a/invoke", "headers": headers, "body": BODY, "region": "eu-west-1"}
    with pytest.raises(Unsigned):
        verify(**({"service": "bedrock", "secret": SECRET} | said | given))


@pytest.mark.parametrize("wrong", ["a second", "a bearer", "unsigned token", "none"])
def test_what_is_no_signature_is_named(wrong: str) -> None:
    headers = signed_by_botocore("/model/a/invoke")
    if wrong == "a second":
        headers.append(("authorization", "Bearer x"))
    elif wrong == "unsigned token":
        headers.append(("X-Amz-Security-Token", TOKEN))
    elif wrong == "a bearer":
        headers = changed(headers, "authorization", "Bearer x")
    else:
        headers = [(name, value) for name, value in headers if name.lower() != "authorization"]
    with pytest.raises(Unsigned):
        verify("POST", "/model/a/invoke", headers, BODY, region="eu-west-1", service="bedrock", secret=SECRET)
