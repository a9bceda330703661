"""A running server for the tests of its answers."""

import threading
import time
from collections.abc import Iterator

import pytest

from moglow.checkpoint import Checkpoint
from moglow.sampling.generate import PRETRAINED


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server in a thread of its own."""
    pytest.importorskip("motionmcp.server", reason="needs motionmcp-sdk[server]: pip install 'moglow[serve]'")
    import uvicorn

    from moglow.server.backbone import MoglowBackbone, app_of

    app = app_of(MoglowBackbone(Checkpoint.read(PRETRAINED), seconds=20.0))
    running = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.05)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join()
