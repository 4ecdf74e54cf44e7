"""What leaves for a lane: the target, the headers and the bytes; and how its answer is to be taken.

Three ways, chosen before the first byte: as it came (patched, where the model is another), the client's own body in a
cloud's envelope, or written anew in another format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from lynkr import __version__
from lynkr.changes import Changes
from lynkr.conversation import Home
from lynkr.document import Document, Edit, MalformedDocument
from lynkr.errors import ClientError
from lynkr.formats import CODECS, ENVELOPES, SPEECHES, Codec, Envelope, Match, Speech, anthropic
from lynkr.formats.values import dumps
from lynkr.framing.http1 import Headers
from lynkr.lane import Auth, Format, Lane
from lynkr.proxy.coding import Unreadable, plain
from lynkr.proxy.message import Request
from lynkr.proxy.server import MAX_BODY
from lynkr.routing.asking import asking
from lynkr.target import Label, Target
from lynkr.translate.request import betas_for, needs_writing, patch, write
from lynkr.translate.tools import Names
from lynkr.translate.unseal import marked, unscope, unseal
from lynkr.upstream.capabilities import capabilities
from lynkr.upstream.fit import fit

# Reads a body whose decoded text may be at hand.
Reading = Callable[[bytes, str | None], Document]
BETAS = "anthropic-beta"
# No provider caches a prompt of fewer than 1024 tokens but for the newest Claudes, and most Claudes none under 2048.
_WORTH_CACHING = 8192
_IN_QUERIES = ("key=", "api_key=", "api-key=", "access_token=")


@dataclass(frozen=True, slots=True)
class Translation:
    """How an answer in the lane's format becomes one in the client's.

    `streamed` is what the client asked for, `listed` that it wants a stream as one list (Gemini's, without `alt=sse`),
    `passed` that the answer is in the client's own format within an envelope.
    """

    codec: Codec
    speech: Speech
    label: Label
    names: Names
    streamed: bool
    listed: bool = False
    passed: bool = False


@dataclass(slots=True)
class Outbound:
    """A request on its way. `asked` and `model` are the models that were asked for and that it goes to; `size` is the
    clear body's, in bytes."""

    target: str
    headers: Headers
    body: bytes | None
    asked: str | None = None
    model: str | None = None
    size: int = 0
    translation: Translation | None = None
    # What the body says, where that could be read.
    asks_for_stream: bool = False
    changes: Changes = field(default_factory=Changes)
    # What goes as it came need not be read before it leaves; see `learn`.
    unread: Inbound | None = None

    @property
    def streams(self) -> bool:
        """Whether the answer is to come as a stream, so that it begins early."""
        if self.translation is not None:
            return self.translation.streamed
        return self.asks_for_stream or ":stream" in self.target

    @property
    def spoken(self) -> Format | None:
        """The format that it is in now, where that is not the client's own."""
        return self.translation.speech.NAME if self.translation else None


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as it came: `named` are its headers by lower-case name, `id` is what we call it, `at` when it came.

    `reading` reads a body that is not coded, `sealed` says whether there may be a seal of lynkr's in one; both may
    remember others.
    """

    request: Request
    named: Mapping[str, str]
    match: Match | None
    body: bytes | None
    id: str
    at: int
    document: Document | None = None
    reading: Reading = Document.of
    sealed: Callable[[bytes], bool] = marked

    def read(self) -> Document:
        """The body, read. Raises MalformedDocument, Unreadable."""
        if self.document is not None:
            return self.document
        return self.reading(plain(self.body or b"", self.named.get("content-encoding", ""), MAX_BODY), None)

    def instead(self, document: Document) -> Inbound:
        """The same request with another body, uncoded."""
        named = {name: value for name, value in self.named.items() if name != "content-encoding"}
        request = replace(self.request, headers=_less(self.request.headers, b"content-encoding"))
        return replace(self, request=request, named=named, body=document.body, document=document)


def outbound(inbound: Inbound, lane: Lane, *, later: bool = False) -> Outbound:
    """The request that goes down `lane`; `later` leaves what may be read afterwards to `learn`. Raises ClientError
    where it cannot go there."""
    match, request = inbound.match, inbound.request
    if match is None or inbound.body is None:
        return Outbound(_without_credentials(request.target, lane), request.headers, inbound.body)
    spoken = lane.format_for(match.format) if match.metered else match.format
    helped = Changes()
    if lane.auth is not Auth.CLIENT and match.metered and spoken is not None:
        inbound = cached(inbound, lane, spoken, helped)
    out = _outbound(inbound, match, lane, spoken, later=later)
    out.changes += helped
    return out


def learn(out: Outbound) -> None:
    """Reads what has left unread: which model it asks for, and whether for a stream."""
    inbound, out.unread = out.unread, None
    if inbound is None or inbound.match is None:
        return
    with suppress(Unreadable, MalformedDocument):
        _learn(out, inbound.match, inbound.read())


def _learn(out: Outbound, match: Match, document: Document) -> None:
    out.size = len(document.body)
    asked_stream, named = document.find("stream"), document.find("model")
    out.asks_for_stream = asked_stream is not None and asked_stream.value is True
    if named is not None and isinstance(named.value, str) and not match.model:
        out.asked, out.model = named.value, out.model or named.value


def _outbound(inbound: Inbound, match: Match, lane: Lane, spoken: Format | None, *, later: bool) -> Outbound:
    if spoken is match.format:
        return _relayed(inbound, match, lane, later=later)
    assert spoken is not None
    document = _understood(inbound)
    envelope = ENVELOPES.get(spoken)
    if envelope is not None and match.format is envelope.INNER:
        return _enveloped(inbound, document, lane, envelope)
    return _translated(inbound, document, lane, SPEECHES[spoken])


def cached(inbound: Inbound, lane: Lane, spoken: Format, changes: Changes) -> Inbound:
    """The request with what its provider's cache needs, where the client has not thought of it and nothing else is
    changed; what is translated gets it on the way."""
    match = inbound.match
    assert match is not None
    envelope = ENVELOPES.get(spoken)
    if spoken is not match.format and (envelope is None or envelope.INNER is not match.format):
        return inbound
    if len(inbound.body or b"") < _WORTH_CACHING:
        return inbound
    try:
        document = inbound.read()
    except (Unreadable, MalformedDocument):
        return inbound
    named = document.members.get("model")
    can = capabilities(lane, spoken, lane.model or match.model or (str(named.value) if named else ""))
    edits = list[Edit]()
    if match.format is Format.ANTHROPIC and can.cache_marks:
        edits = anthropic.breakpoints(document)
        if edits:
            changes.change("cache breakpoints", "set as Claude Code does, because the client sets none")
    elif can.cache_key and "prompt_cache_key" not in document.members and "tools" in document.members:
        key = asking(CODECS[match.format].read_request(document.value, document.trail), inbound.named).key
        edits = document.edits_of({"prompt_cache_key": f"lynkr-{key}"})
        changes.change("prompt_cache_key", "the conversation's, because the client says none")
    if not edits:
        return replace(inbound, document=document)
    return inbound.instead(inbound.reading(*document.spliced(edits)))


def _understood(inbound: Inbound) -> Document:
    try:
        document = inbound.read()
    except (Unreadable, MalformedDocument) as error:
        raise ClientError(f"lynkr: the body is not JSON that can be read ({error})", kind="unreadable") from error
    if not isinstance(document.value, dict):
        raise ClientError("lynkr: the body is not a JSON object", kind="unreadable")
    return document


def _relayed(inbound: Inbound, match: Match, lane: Lane, *, later: bool) -> Outbound:
    """As it came, but for what another model or a foreign seal makes necessary."""
    out = Outbound(_target(inbound, match, lane), inbound.request.headers, inbound.body, match.model)
    out.model = lane.model or match.model
    out.size = len(inbound.body or b"")
    unread = later and inbound.document is None and goes_as_it_came(inbound.request.named, lane)
    if unread and not inbound.sealed(inbound.body or b""):
        out.unread = inbound
        return out
    try:
        document = inbound.read()
    except (Unreadable, MalformedDocument) as error:
        if lane.model and not match.model:
            raise ClientError(f"lynkr: the body is not JSON that can be read ({error})", kind="unreadable") from error
        return out
    _learn(out, match, document)
    if (opened := _unsealed(inbound, document, out.changes)) is not document:
        document = opened
        out.body, out.headers = document.body, _less(out.headers, b"content-encoding")
    if lane.model and out.asked and lane.model != out.asked:
        return _fitted(inbound, match, document, lane, out)
    # Shaped for this model's name, maybe, but by somebody who takes its house for the maker's.
    if lane.auth is not Auth.CLIENT and out.model and capabilities(lane, match.format, out.model).strange:
        return _fitted(inbound, match, document, lane, out)
    return out


def goes_as_it_came(named: Mapping[bytes, bytes], lane: Lane) -> bool:
    """Whether nothing is to be changed for `lane` in what speaks its format, unless there is a seal in it; `named` are
    the headers by lower-case name."""
    return lane.auth is Auth.CLIENT and lane.model is None and b"content-encoding" not in named


def _unsealed(inbound: Inbound, document: Document, changes: Changes) -> Document:
    """The document without sealed things of lynkr's; itself where it has none."""
    if not inbound.sealed(document.body) or not (edits := unseal(document)):
        return document
    changes.drop("sealed reasoning", "only its maker can read it")
    return inbound.reading(*document.spliced(edits))


def _fitted(inbound: Inbound, match: Match, document: Document, lane: Lane, out: Outbound) -> Outbound:
    """For another model than the one it was shaped for."""
    assert out.model is not None
    codec, target = CODECS[match.format], Target(
        Home(lane.name, out.model), capabilities(lane, match.format, out.model)
    )  # fmt: skip
    if target.can.betas is not None:
        document = inbound.reading(*document.spliced(unscope(document)))
    edits: list[Edit] = []
    named = document.find("model")
    if named is not None and not match.model and named.value != out.model:
        edits.append(Edit(named.start, named.end, dumps(out.model)))
    # What counts tokens at Anthropic's is shaped like what asks for an answer.
    shaped = match.metered or match.format is Format.ANTHROPIC
    if shaped and isinstance(document.value, dict):
        conversation = codec.read_request(document.value, document.trail)
        if needs_writing(conversation, target):
            return _translated(inbound, document, lane, codec)
        edits += patch(document, conversation, codec, target, fit, out.changes, counted=not match.metered)
    out.body, out.headers = document.splice(edits), _less(out.headers, b"content-encoding")
    betas = betas_for(inbound.named.get(BETAS, ""), target.can.betas)
    if betas is not None and BETAS in inbound.named and ",".join(betas) != inbound.named[BETAS]:
        out.changes.drop("betas", "this model does not know them")
        said = [(BETAS.encode(), ",".join(betas).encode())] if betas else []
        out.headers = _less(out.headers, BETAS.encode()) + said
    return out


def _less(headers: Headers, name: bytes) -> Headers:
    return [(key, value) for key, value in headers if key.lower() != name]


def _target(inbound: Inbound, match: Match, lane: Lane) -> str:
    target = inbound.request.target
    if match.model and lane.model:
        target = target.replace(f"/models/{match.model}:", f"/models/{lane.model}:", 1)
    return _without_credentials(target, lane)


def _without_credentials(target: str, lane: Lane) -> str:
    """A target without what Google's and others' clients put into its query: it has no business beside the lane's."""
    path, mark, query = target.partition("?")
    if lane.auth is Auth.CLIENT or not query:
        return target
    kept = [part for part in query.split("&") if not part.lower().startswith(_IN_QUERIES)]
    return path + (mark + "&".join(kept) if kept else "")


def _enveloped(inbound: Inbound, document: Document, lane: Lane, envelope: Envelope) -> Outbound:
    """The client's own body in a cloud's envelope."""
    codec, asked = CODECS[envelope.INNER], str(document.value.get("model", ""))
    model = _model(lane, asked)
    target = Target(Home(lane.name, model), capabilities(lane, envelope.NAME, model))
    streamed = document.value.get("stream") is True
    out = Outbound(
        envelope.target_path(model, streamed), _own_headers(streamed), None, asked, model, len(document.body)
    )
    document = _unsealed(inbound, document, out.changes)
    document = inbound.reading(*document.spliced(unscope(document)))
    conversation = codec.read_request(document.value, document.trail)
    # The envelope's own members are written below, so they must not be patched as well.
    edits = patch(document, replace(conversation, model=""), codec, target, fit, out.changes)
    document = inbound.reading(*document.spliced(edits))
    given = inbound.named.get(BETAS, "")
    betas = betas_for(given, target.can.betas) or ()
    if len(betas) < len(list(filter(None, given.split(",")))):
        out.changes.drop("betas", "this lane does not know them")
    out.body = document.splice(document.edits_of(envelope.envelope(betas)))
    if betas and not envelope.BETAS_IN_BODY:
        out.headers.append((BETAS.encode(), ",".join(betas).encode()))
    label = Label(target.home, asked, inbound.id, inbound.at)
    out.translation = Translation(codec, SPEECHES[envelope.NAME], label, Names(), streamed, passed=True)
    return out


def _translated(inbound: Inbound, document: Document, lane: Lane, speech: Speech) -> Outbound:
    """Written anew in the lane's format."""
    match = inbound.match
    assert match is not None
    codec = CODECS[match.format]
    conversation = codec.read_request(document.value, document.trail)
    streamed = conversation.stream
    listed = False
    if match.model:
        streamed = inbound.request.path.endswith(":streamGenerateContent")
        listed = streamed and "alt=sse" not in inbound.request.target
        conversation = replace(conversation, model=match.model, stream=streamed and not listed)
    model = _model(lane, conversation.model)
    target = Target(Home(lane.name, model), capabilities(lane, speech.NAME, model))
    if conversation.cache_key is None and target.can.cache_key and conversation.tools:
        # A provider keeps a cache on many machines, and finds the right one by this.
        conversation = replace(conversation, cache_key=f"lynkr-{asking(conversation, inbound.named).key}")
    out = Outbound("", _own_headers(streamed), None, conversation.model, model, len(document.body))
    written = write(conversation, speech, target, fit, out.changes)
    out.body = written.body
    out.target = speech.target_path(model, conversation.stream)
    out.headers += [(name.encode(), said.encode()) for name, said in speech.HEADERS.items()]
    label = Label(
        target.home, conversation.model, inbound.id, inbound.at, conversation.wants_usage, conversation.summary
    )
    out.translation = Translation(codec, speech, label, written.names, streamed, listed)
    return out


def _model(lane: Lane, asked: str) -> str:
    if lane.model is None:
        raise ClientError(
            f"lynkr: lane '{lane.name}' has no model, and {asked!r} is a name of another provider's; give the lane a "
            f"`model` in the profile",
            kind="no_model",
        )
    return lane.model


def _own_headers(streamed: bool) -> Headers:
    """A translated request is ours: nothing of the client's headers means anything to another provider."""
    accept = b"text/event-stream" if streamed else b"application/json"
    return [
        (b"Content-Type", b"application/json"),
        (b"Accept", accept),
        # A compressor in the way holds events back.
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", f"lynkr/{__version__}".encode()),
    ]
