"""What stands before every handler: the token, the peer's name, errors as statuses, an observer.

One interceptor, because each layer costs something on every message of a stream. A handler may
raise any `AntiphonError`; the client gets its status. Any other exception is our bug: the client is
told only that, the observer gets all of it.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from antiphon.protocol.errors import (
    AntiphonError,
    Internal,
    NotServed,
    RemoteProtocolError,
    Unauthenticated,
)
from antiphon.protocol.io.security import OPEN_SERVER, ServerSecurity
from antiphon.protocol.io.status import abort, code_of
from antiphon.protocol.io.token import AUTHORIZATION, SCHEME

# A load balancer has no token.
UNGUARDED: Final = ("/grpc.health.v1.Health/",)

# In quotes: only the stubs know that these take parameters.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, as observers see it. `peer` is an address, not an identity."""

    method: str
    peer: str


class Observer(Protocol):
    """Told of every call, on the event loop: return at once."""

    def started(self, call: Call) -> None: ...

    def ended(
        self, call: Call, code: grpc.StatusCode, seconds: float, error: BaseException | None
    ) -> None:
        """`error`: what the handler raised, also if it is no bug."""
        ...


class Unobserved:
    """The observer that nobody asked for."""

    def started(self, call: Call) -> None:
        return None

    def ended(
        self, call: Call, code: grpc.StatusCode, seconds: float, error: BaseException | None
    ) -> None:
        return None


class Gate(grpc.aio.ServerInterceptor):
    """Lets in who may come, watches who is in, and tells who leaves why."""

    def __init__(
        self, security: ServerSecurity = OPEN_SERVER, observer: Observer | None = None
    ) -> None:
        self._security = security
        self._observer: Observer = Unobserved() if observer is None else observer
        self._watched: dict[str, tuple[Handler, Handler]] = {}  # by method: as it came, and watched

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:  # gRPC itself would refuse it without our details, and unobserved
            return _wrapped(_unknown(method), self._watch(method))
        given, watched = self._watched.get(method, (None, handler))
        if given is not handler:  # a service has one handler for each method, for ever
            watched = _wrapped(handler, self._watch(method))
            self._watched[method] = handler, watched
        return watched

    def _watch(self, method: str) -> Watcher:
        security = OPEN_SERVER if method.startswith(UNGUARDED) else self._security
        return lambda context: _Watch(security, self._observer, method, context)


class _Watch:
    """One call from beginning to end, as a context around its handler."""

    def __init__(
        self, security: ServerSecurity, observer: Observer, method: str, context: Context
    ) -> None:
        self._security = security
        self._observer = observer
        self._context = context
        self._call = Call(method=method, peer=context.peer())
        self._started = time.monotonic()

    async def __aenter__(self) -> None:
        self._observer.started(self._call)
        refusal = refusal_of(self._security, self._context)
        if refusal is not None:
            self._end(code_of(refusal), refusal)
            await abort(self._context, refusal)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        match error:
            case None:
                self._end(_status_of(self._context, grpc.StatusCode.OK), None)
            case AntiphonError():
                self._end(code_of(error), error)
                await abort(self._context, error)
            case grpc.aio.AbortError():
                self._end(_status_of(self._context, grpc.StatusCode.UNKNOWN), error)
            case asyncio.CancelledError() | GeneratorExit():
                self._end(grpc.StatusCode.CANCELLED, error)
            case grpc.aio.UsageError() | grpc.aio.InternalError():
                # The client went away while a message was being written to it.
                self._end(grpc.StatusCode.CANCELLED, error)
            case _:
                self._end(grpc.StatusCode.INTERNAL, error)
                await abort(self._context, Internal(f"a bug in {self._call.method}"))

    def _end(self, code: grpc.StatusCode, error: BaseException | None) -> None:
        self._observer.ended(self._call, code, time.monotonic() - self._started, error)


_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


def _status_of(context: Context, otherwise: grpc.StatusCode) -> grpc.StatusCode:
    """What the handler set, as a code or as a number; `otherwise` if it set nothing."""
    code: object = context.code()
    if isinstance(code, int) and code != 0:
        return _BY_NUMBER.get(code, grpc.StatusCode.UNKNOWN)
    return code if isinstance(code, grpc.StatusCode) else otherwise


def refusal_of(security: ServerSecurity, context: Context) -> Unauthenticated | None:
    """Why this caller may not come in, or None."""
    if security.peers and not set(peer_names(context)) & set(security.peers):
        return Unauthenticated("the client's certificate bears no name that is let in here")
    if security.tokens:
        given = _token(context)
        if given is None:
            return Unauthenticated("a token is needed")
        # Compare with all of them, each in constant time: time must not tell which is close.
        matches = [hmac.compare_digest(given.encode(), token.encode()) for token in security.tokens]
        if not any(matches):
            return Unauthenticated("the token is not known here")
    return None


def peer_names(context: Context) -> tuple[str, ...]:
    """The names in the client's certificate: the common name, then alternative names."""
    identity = context.auth_context()
    found: list[str] = []
    for field in ("x509_common_name", "x509_subject_alternative_name"):
        found.extend(_text(value) for value in identity.get(field, ()))
    return tuple(found)


def _token(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == AUTHORIZATION and _text(value).startswith(SCHEME):
            return _text(value).removeprefix(SCHEME)
    return None


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class _Malformed:
    """Stands for a request whose bytes are no message: outside the handler nobody tells why."""

    reason: str


def _deserializer(deserialize: Any) -> Any:
    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError as error:
            return _Malformed(str(error))

    return None if deserialize is None else read


def _check(request: Any) -> None:
    if isinstance(request, _Malformed):
        raise RemoteProtocolError(f"the request cannot be read: {request.reason}")


def _unknown(method: str) -> Handler:
    """Stands for what is not there. On the wire all kinds of calls begin alike."""

    async def refuse(requests: Any, context: Context) -> None:
        raise NotServed(f"{method} is not served here", method=method)

    return grpc.stream_stream_rpc_method_handler(refuse)


Watcher: TypeAlias = "Callable[[Context], _Watch]"


def _wrapped(handler: Handler, watch: Watcher) -> Handler:
    """The same handler, watched. The four kinds differ in how they take and give."""
    codecs = {
        # Whoever reads a stream handles what no message is, at its place in the stream.
        "request_deserializer": handler.request_deserializer
        if handler.request_streaming
        else _deserializer(handler.request_deserializer),
        "response_serializer": handler.response_serializer,
    }
    if handler.response_streaming:
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                _watched_stream(handler.stream_stream, watch), **codecs
            )
        return grpc.unary_stream_rpc_method_handler(
            _watched_stream(handler.unary_stream, watch), **codecs
        )
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(
            _watched_call(handler.stream_unary, watch), **codecs
        )
    return grpc.unary_unary_rpc_method_handler(_watched_call(handler.unary_unary, watch), **codecs)


def _watched_call(behavior: Any, watch: Watcher) -> Any:
    async def call(request: Any, context: Context) -> Any:
        async with watch(context):
            _check(request)
            answer = behavior(request, context)
            return await answer if inspect.isawaitable(answer) else answer

    return call


def _watched_stream(behavior: Any, watch: Watcher) -> Any:
    """A handler that yields and one that writes to its context are told apart by gRPC itself, by
    the kind of function; so each stays what it is."""
    if not inspect.isasyncgenfunction(behavior):
        return _watched_call(behavior, watch)

    async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
        # A client that leaves closes this generator only; the handler's must not wait for the
        # garbage collector to run its `finally`.
        async with watch(context):
            _check(request)
            async with aclosing(behavior(request, context)) as messages:
                async for message in messages:
                    yield message

    return stream
