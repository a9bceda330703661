"""Answers requests that the protocol's library cannot read with an error object, as it answers all others."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """An ASGI application around another one, whose exceptions it answers with ``schema_validation``.

    Exceptions of the computation are errors of the protocol already; what is left is raised while a request is read,
    for example for a type that is an object instead of a name.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def passed(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, passed)
        except Exception as error:
            if begun:
                raise
            reason = f"the request cannot be read ({type(error).__name__}: {error})"[:300]
            content = {"error": {"code": "schema_validation", "message": reason, "details": {}}}
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 422, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps(content).encode()})
