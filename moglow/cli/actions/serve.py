"""Implements `moglow serve`: a server of the Motion Model Context Protocol."""

import os
import socket
from collections.abc import Callable

import uvicorn

from moglow.checkpoint import Checkpoint
from moglow.errors import LinkError
from moglow.files.system_errors import reason
from moglow.server.backbone import MoglowBackbone, app_of
from moglow.server.guard import AT_ONCE

CONNECTIONS = 4 * AT_ONCE
"""Open connections, with requests or without; further ones are closed."""


def serve(
    model: Checkpoint,
    host: str,
    port: int,
    *,
    temperature: float,
    workers: int,
    seconds: float,
    say: Callable[[str], None],
) -> None:
    """Serves a model until the process is interrupted."""
    app = app_of(MoglowBackbone(model, temperature=temperature, workers=workers, seconds=seconds))
    listener = _listener(host, port)
    with listener:
        say(
            f"http://{_in_url(host)}:{port}: /capabilities and /generate, by the Motion Model Context Protocol"
        )
        config = uvicorn.Config(app, log_level="warning", limit_concurrency=CONNECTIONS)
        uvicorn.Server(config).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    """Returns a socket that listens at an address; raises a LinkError for a host or a port that cannot be used."""
    try:
        if not host.strip():
            raise OSError("it is empty")
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise LinkError(
            f"{host!r}: unknown host ({reason(error)}); give an address of this machine, as 127.0.0.1",
            setting="host",
        ) from error
    try:
        return socket.create_server(place[:2], family=family)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise LinkError(
            f"{host}:{port}: cannot be listened at ({why}); choose another port, or an address of this machine",
            setting="port",
        ) from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
