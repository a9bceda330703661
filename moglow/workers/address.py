"""The address of a scheduler: ``tcp://host:8786``, or ``local:4`` for four processes of this machine."""

from moglow.errors import LinkError
from moglow.files.numbers import read_whole_number

MOST_PROCESSES = 1024


def local_processes(scheduler: str) -> int | None:
    """Returns N of ``local:N``; None for the address of a scheduler.

    >>> local_processes("local:4"), local_processes("tcp://10.0.0.1:8786")
    (4, None)
    """
    name, _, text = scheduler.partition(":")
    return read_whole_number(text) if name == "local" else None


def check_scheduler(scheduler: str) -> None:
    """Raises `LinkError` for a text that is neither an address nor ``local:N``.

    >>> check_scheduler("host:8786")
    Traceback (most recent call last):
    moglow.errors.LinkError: host:8786: expected an address such as tcp://host:8786, or local:N with 1 to 1024 processes
    """
    protocol, _, place = scheduler.partition("://")
    port = read_whole_number(place.rpartition(":")[2]) if ":" in place else None
    address = protocol in ("tcp", "tls") and port is not None and 0 < port < 2**16
    count = local_processes(scheduler)
    if not address and not (count and 1 <= count <= MOST_PROCESSES):
        raise LinkError(
            f"{scheduler}: expected an address such as tcp://host:8786, or local:N with 1 to {MOST_PROCESSES} "
            "processes",
            setting="scheduler",
        )
