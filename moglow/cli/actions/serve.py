"""Implements `moglow serve`: a server of the Motion Model Context Protocol."""

import socket
from collections.abc import Callable

import uvicorn

from moglow.checkpoint import Checkpoint
from moglow.errors import LinkError
from moglow.files.system_errors import reason
from moglow.server.backbone import MoglowBackbone, app_of

WAITING = 64
"""The maximum number of simultaneous connections; further ones are rejected and may retry."""


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
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise LinkError(
            f"{host}:{port}: cannot be listened at ({reason(error)}); choose another port",
            setting="port",
        ) from error
    with listener:
        say(f"http://{host}:{port}: /capabilities and /generate, by the Motion Model Context Protocol")
        config = uvicorn.Config(app, log_level="warning", limit_concurrency=WAITING)
        uvicorn.Server(config).run(sockets=[listener])
