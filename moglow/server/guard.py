"""Answers requests that the protocol's library cannot read with an error object, as it answers all others."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

DRAINED = 64_000_000
"""Bytes of a refused body that are read and discarded."""
PATIENCE = 10.0
"""Seconds in which they have to arrive."""
AT_ONCE = 64
"""Requests that are read, computed or answered at once; others are refused and may be sent again."""


class Guard:
    """An ASGI application around another one, whose exceptions it answers with ``schema_validation``.

    Exceptions of the computation are errors of the protocol already; what is left is raised while a request is read,
    for example for a type that is an object instead of a name.

    A body that is refused for its size is read to its end before the answer. Otherwise the connection would be closed
    while the client sends, and most clients then report the reset connection instead of the answer.
    """

    def __init__(self, app: App, at_once: int = AT_ONCE) -> None:
        self.app, self._free, self._most = app, at_once, at_once

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(receive, waits=any(name.lower() == b"expect" for name, _ in scope["headers"]))
        if not self._free:
            await body.drain()
            reason = f"{self._most} requests are answered already; send it again later"
            await _refuse(send, 503, "resource_exhausted", reason)
            return
        self._free -= 1
        try:
            await self._answer(scope, body, send)
        finally:
            self._free += 1

    async def _answer(self, scope: Message, body: "_Body", send: Send) -> None:
        begun = False

        async def passed(message: Message) -> None:
            nonlocal begun
            if not begun:
                await body.drain()
            begun = True
            await send(message)

        try:
            await self.app(scope, body.receive, passed)
        except Exception as error:
            if begun:
                raise
            await body.drain()
            reason = f"the request cannot be read ({type(error).__name__}: {error})"[:300]
            await _refuse(send, 422, "schema_validation", reason)


async def _refuse(send: Send, status: int, code: str, reason: str) -> None:
    """Sends an error object of the protocol."""
    content = {"error": {"code": code, "message": reason, "details": {}}}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


class _Body:
    """The body of a request as it arrives; ``waits`` is whether the client sends it only when it is asked to."""

    def __init__(self, receive: Receive, *, waits: bool) -> None:
        self._receive, self._waits = receive, waits
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._waits = False
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Reads and discards the rest, up to `DRAINED` bytes and for at most `PATIENCE` seconds."""
        left = DRAINED
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while left > 0 and not self._ended and not self._waits:
                    left -= len((await self.receive()).get("body", b""))
