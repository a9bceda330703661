"""Requests to a server of motion as bytes, and its answers, errors included."""

import json
import urllib.error
import urllib.request
from typing import Any


def post(server: str, body: bytes) -> tuple[int, Any]:
    """Returns the status and the JSON of the answer to a request for motion."""
    request = urllib.request.Request(f"{server}/generate", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
