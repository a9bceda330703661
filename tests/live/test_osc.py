"""OSC packets: those of python-osc are read, and it reads ours; damage is refused; ports end in one line."""

import socket
from typing import Any

import numpy as np
import pytest

from moglow.errors import LinkError
from moglow.live.osc import Address, Message, Receiver, Sender, bundle, decode

MESSAGES = [
    Message("/moglow/move", (1.0, -0.5, 0.25)),
    Message("/a", ()),
    Message("/VMC/Ext/Bone/Pos", ("LeftUpperLeg", *map(float, range(7)))),
    Message("/mixed", (3, "äöü", True, False, None, b"12345", "")),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_what_is_sent_is_received(message: Message) -> None:
    assert decode(message.encode()) == [message]
    assert len(message.encode()) % 4 == 0


def test_a_bundle_is_opened() -> None:
    assert decode(bundle(MESSAGES)) == MESSAGES
    assert decode(bundle([])) == []


def test_python_osc_reads_ours_and_we_read_its() -> None:
    pytest.importorskip("pythonosc", reason="needs python-osc")
    from pythonosc.osc_bundle import OscBundle
    from pythonosc.osc_message import OscMessage
    from pythonosc.osc_message_builder import OscMessageBuilder

    for message in MESSAGES:
        found = OscMessage(message.encode())
        assert found.address == message.address and tuple(found.params) == message.arguments
        builder = OscMessageBuilder(message.address)
        for argument in message.arguments:
            builder.add_arg(argument)
        assert builder.build().dgram == message.encode()
    assert [each.address for each in OscBundle(bundle(MESSAGES))] == [each.address for each in MESSAGES]


def test_damage_is_refused() -> None:
    whole, random = bundle(MESSAGES), np.random.default_rng(0)
    packets = [whole[:cut] for cut in range(1, len(whole))] + [random.bytes(40) for _ in range(300)]
    for _ in range(500):
        flipped = bytearray(whole)
        flipped[random.integers(len(whole))] = random.integers(256)
        packets.append(bytes(flipped))
    for packet in packets:
        try:
            decode(packet)
        except ValueError:
            continue


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "host:0", "host:65536", "-1"])
def test_an_address_without_a_port_is_one_line(text: str) -> None:
    with pytest.raises(LinkError, match="is no address; write it as"):
        Address.read(text)


def test_messages_arrive_and_damaged_packets_are_counted() -> None:
    with Receiver(Address("127.0.0.1", free_port())) as receiver:
        port = receiver._socket.getsockname()[1]
        with Sender(Address("127.0.0.1", port)) as sender:
            sender.send(bundle(MESSAGES[:2]))
            sender.send(b"nonsense")
            sender.send(MESSAGES[2].encode())
        found: list[Any] = []
        for _ in range(100):
            found += receiver.received()
            if len(found) == 3 and receiver.damaged:
                break
        assert found == MESSAGES[:3] and receiver.damaged == 1
        with pytest.raises(
            LinkError, match=r"cannot be listened at \(Address already in use\); choose another port"
        ):
            Receiver(Address("127.0.0.1", port))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 70])
def test_an_unknown_host_is_one_line(host: str) -> None:
    with pytest.raises(LinkError, match="unknown host"):
        Sender(Address(host, 9000))
    with pytest.raises(LinkError, match="cannot be listened at"):
        Receiver(Address(host, 9000))


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
