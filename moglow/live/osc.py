"""Open Sound Control 1.0: messages and bundles as bytes, sent and received over UDP; Python alone.

A message is an address such as ``/moglow/move`` and arguments: numbers, strings, booleans, bytes.
"""

import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from moglow.errors import LinkError
from moglow.files.system_errors import reason

Argument: TypeAlias = float | int | str | bool | bytes | None
_BUNDLE, _AT_ONCE = b"#bundle\0", struct.pack(">Q", 1)
_MOST = 65507  # bytes of a datagram


@dataclass(frozen=True)
class Message:
    """An address and its arguments.

    >>> decode(Message("/moglow/move", (1.0, 0.0, -0.5)).encode())
    [Message(address='/moglow/move', arguments=(1.0, 0.0, -0.5))]
    """

    address: str
    arguments: tuple[Argument, ...] = ()

    def encode(self) -> bytes:
        """Returns the message as bytes; numbers are single precision."""
        letters, data = ",", b""
        for value in self.arguments:
            if isinstance(value, bool) or value is None:
                letters += "N" if value is None else "TF"[not value]
            elif isinstance(value, int):
                letters, data = letters + "i", data + struct.pack(">i", value)
            elif isinstance(value, float):
                letters, data = letters + "f", data + struct.pack(">f", value)
            elif isinstance(value, str):
                letters, data = letters + "s", data + _padded(value.encode() + b"\0")
            else:
                letters, data = letters + "b", data + struct.pack(">i", len(value)) + _padded(value)
        return _padded(self.address.encode() + b"\0") + _padded(letters.encode() + b"\0") + data


def bundle(messages: Iterable[Message]) -> bytes:
    """Returns messages as one bundle, to be handled together and at once."""
    parts = [message.encode() for message in messages]
    return _BUNDLE + _AT_ONCE + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def decode(data: bytes) -> list[Message]:
    """Returns the messages of a packet, bundles opened; raises `ValueError` for one that is damaged."""
    try:
        return list(_messages(data, 0))
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise ValueError(f"not an OSC packet: {error}") from error


def _messages(data: bytes, depth: int) -> Iterator[Message]:
    if depth > 8:
        raise ValueError("bundles within bundles")
    if not data.startswith(_BUNDLE):
        yield _message(data)
        return
    at = 16
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        if not 0 < size <= len(data) - at - 4:
            raise ValueError(f"a part of {size} bytes in a bundle of {len(data)}")
        yield from _messages(data[at + 4 : at + 4 + size], depth + 1)
        at += 4 + size


def _message(data: bytes) -> Message:
    address, at = _text(data, 0)
    if not address.startswith("/"):
        raise ValueError(f"an address begins with /, found {address[:20]!r}")
    letters, at = _text(data, at) if at < len(data) else (",", at)
    values: list[Argument] = []
    for letter in letters[1:]:
        if letter in "ifhdt":
            form = {"i": ">i", "f": ">f", "h": ">q", "d": ">d", "t": ">Q"}[letter]
            values.append(struct.unpack_from(form, data, at)[0])
            at += struct.calcsize(form)
        elif letter in "sS":
            text, at = _text(data, at)
            values.append(text)
        elif letter == "b":
            (size,) = struct.unpack_from(">i", data, at)
            if not 0 <= size <= len(data) - at - 4:
                raise ValueError(f"{size} bytes in a packet of {len(data)}")
            values.append(data[at + 4 : at + 4 + size])
            at += 4 + size + -size % 4
        elif letter in "TFN":
            values.append({"T": True, "F": False, "N": None}[letter])
        else:
            raise ValueError(f"an argument of the unknown type {letter!r}")
    return Message(address, tuple(values))


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 4 - (end % 4)


@dataclass(frozen=True)
class Address:
    """A host and a port."""

    host: str
    port: int

    @classmethod
    def read(cls, text: str, *, host: str = "127.0.0.1") -> "Address":
        """Reads ``host:port`` or a port, which then is one of this machine.

        >>> Address.read("39539"), Address.read("studio:39539")
        (Address(host='127.0.0.1', port=39539), Address(host='studio', port=39539))
        """
        name, _, port = text.strip().rpartition(":")
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise LinkError(f"{text!r} is no address; write it as 127.0.0.1:39539 or 39539")
        return cls(name.strip("[]") or host, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Sender:
    """Sends packets to an address; nothing needs to listen there."""

    def __init__(self, address: Address) -> None:
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            raise LinkError(f"{address}: unknown host ({reason(error)}); check its name") from error
        self.address, self._to = address, found[4]
        self._socket = socket.socket(*found[:2])

    def send(self, packet: bytes) -> None:
        try:
            self._socket.sendto(packet, self._to)
        except OSError as error:
            raise LinkError(f"{self.address}: cannot be sent to ({reason(error)}); check it") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._socket.close()


class Receiver:
    """Messages that arrive at a port; damaged packets are counted and left out."""

    def __init__(self, address: Address) -> None:
        try:
            family, kind, _, _, place = socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
            )[0]
            self._socket = socket.socket(family, kind)
            try:
                self._socket.bind(place)
            except OSError:
                self._socket.close()
                raise
        except (OSError, UnicodeError) as error:
            raise LinkError(
                f"{address}: cannot be listened at ({reason(error)}); choose another port"
            ) from error
        self._socket.setblocking(False)
        self.damaged = 0

    def received(self) -> Iterator[Message]:
        """Yields what has arrived since the last call, and does not wait."""
        while True:
            try:
                packet = self._socket.recv(_MOST)
            except (BlockingIOError, InterruptedError, ConnectionResetError):
                return
            try:
                yield from decode(packet)
            except ValueError:
                self.damaged += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._socket.close()
