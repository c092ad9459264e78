"""Hostile input at every port of a server and of a switchboard while calls run."""

from __future__ import annotations

import pytest
import trio

from .corpus import LENGTHS, bad_lengths, corpus, message
from .stage import open_descriptors, open_stage

pytestmark = [pytest.mark.slow, pytest.mark.native, pytest.mark.usefixtures("clean_log")]
TARGETS = ("board", "server")
HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: sip\r\n\r\n"
)


async def send_datagrams(port: int, messages: list[bytes]) -> None:
    """Send each as a datagram, no faster than they are read."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as socket:
        await socket.bind(("127.0.0.1", 0))
        for each in messages:
            await socket.sendto(each[:65_000], ("127.0.0.1", port))
            await trio.sleep(0.001)


async def send_on_connection(port: int, pieces: list[bytes]) -> bytes:
    """Send on one connection until it is closed; return what came back."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    answer = b""
    async with stream:
        try:
            for piece in pieces:
                await stream.send_all(piece)
                await trio.sleep(0.001)
            with trio.move_on_after(0.05):
                while data := await stream.receive_some():
                    answer += data
        except trio.BrokenResourceError:
            return answer
    return answer


def masked(opcode: int, payload: bytes, *, first: int = 0x80) -> bytes:
    """Return a frame of a WebSocket client, masked with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([first | opcode]) + length + b"\0\0\0\0" + payload


WRONG_FRAMES = {
    "unmasked": b"\x81\x05hello",
    "reserved bits": masked(1, b"hello", first=0xF0),
    "reserved opcode": masked(5, b"hello"),
    "a length of 2^63": b"\x82\xff" + (1 << 63).to_bytes(8, "big") + b"\0\0\0\0",
    "a message too long": b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"\0\0\0\0" + b"a" * 200_000,
    "text that is no UTF-8": masked(1, b"\xff\xfe\xfd"),
    "a continuation of nothing": masked(0, b"hello"),
    "a ping too long": b"\x89\xfe\x00\xff" + b"\0\0\0\0" + b"a" * 255,
    "a close with a bad code": masked(8, b"\x00\x01"),
}


@pytest.mark.parametrize("target", TARGETS)
async def test_calls_go_on_while_anything_comes_as_datagrams(mock_clock, target):
    async with open_stage(mock_clock) as under_attack:
        port = under_attack.port(target, "udp")

        made = await under_attack.calls_while(send_datagrams, port, corpus(1, 600))
        answered = await under_attack.answers(target)
        await under_attack.settle()

        core = under_attack.endpoints()[target].core
        assert made >= 3
        assert answered == [200, 200, 200]
        assert core["malformed"] + core["dropped"] > 300
        assert core["panics"] == 0


@pytest.mark.parametrize("transport", ["tcp", "ws"])
@pytest.mark.parametrize("target", TARGETS)
async def test_calls_go_on_while_anything_comes_on_connections(mock_clock, target, transport):
    before = open_descriptors()
    async with open_stage(mock_clock) as under_attack:
        port = under_attack.port(target, transport)

        async def attack(messages: list[bytes]) -> None:
            for each in messages:
                pieces = [each] if transport == "tcp" else [HANDSHAKE.encode(), _framed(each)]
                await send_on_connection(port, pieces)

        flows = under_attack.endpoints()[target].flows
        made = await under_attack.calls_while(_in_parallel, attack, corpus(2, 120))
        answered = await under_attack.answers(target)
        await under_attack.settle()

        assert made >= 3
        assert answered == [200, 200, 200]
        assert under_attack.endpoints()[target].core["panics"] == 0
        # The two connections of the questions; a Contact of IPv6 may have opened the socket for it.
        assert under_attack.endpoints()[target].flows - flows in (2, 3)
    assert open_descriptors() == before


async def _in_parallel(attack, messages: list[bytes]) -> None:
    async with trio.open_nursery() as nursery:
        for first in range(8):
            nursery.start_soon(attack, messages[first::8])


def _framed(data: bytes) -> bytes:
    return masked(2, data[:60_000])


@pytest.mark.parametrize("target", TARGETS)
async def test_half_sent_requests_are_given_up_and_keep_nobody_out(mock_clock, target):
    async with open_stage(mock_clock) as under_attack:
        streams = [
            await trio.open_tcp_stream("127.0.0.1", under_attack.port(target, transport))
            for transport in ("tcp", "ws")
            for _ in range(40)
        ]
        for stream in streams:
            await stream.send_all(b"OPTIONS sip:127.0.0.1 SI")

        await under_attack.call()
        answered = await under_attack.answers(target)
        under_attack.clock.rate = 60.0
        with trio.fail_after(60):
            left = [await _read_to_end(stream) for stream in streams]
        under_attack.clock.rate = 1.0

        assert answered == [200, 200, 200]
        assert len(left) == 80


async def _read_to_end(stream: trio.SocketStream) -> bytes:
    data = b""
    async with stream:
        try:
            while piece := await stream.receive_some():
                data += piece
        except trio.BrokenResourceError:
            return data
    return data


@pytest.mark.parametrize("value", LENGTHS)
async def test_a_length_that_is_none_closes_the_connection(mock_clock, value):
    async with open_stage(mock_clock) as under_attack:
        (bent,) = [each for at, each in zip(LENGTHS, bad_lengths(1), strict=False) if at == value]
        good = message("OPTIONS sip:127.0.0.1 SIP/2.0", number=2)
        stream = await trio.open_tcp_stream("127.0.0.1", under_attack.port("server", "tcp"))

        await stream.send_all(bent + good)
        with trio.fail_after(5):
            answer = await _read_to_end(stream)

        assert b"SIP/2.0 200" not in answer


@pytest.mark.parametrize("name", WRONG_FRAMES)
@pytest.mark.parametrize("target", TARGETS)
async def test_a_wrong_frame_closes_its_websocket(mock_clock, target, name):
    async with open_stage(mock_clock) as under_attack:
        stream = await trio.open_tcp_stream("127.0.0.1", under_attack.port(target, "ws"))
        await stream.send_all(HANDSHAKE.encode())
        await stream.receive_some()

        await stream.send_all(WRONG_FRAMES[name])
        with trio.fail_after(5):
            await _read_to_end(stream)

        assert (await under_attack.answers(target))[2] == 200


async def test_forged_messages_do_not_touch_a_call(mock_clock):
    async with open_stage(mock_clock) as under_attack:
        account = next(iter(under_attack.caller.accounts.values()))
        async with under_attack.caller.dial("server", account=account) as call:
            forged = _forged(call.sip_call_id)
            for target in TARGETS:
                await send_datagrams(under_attack.port(target, "udp"), forged)
            caller_port = int(under_attack.caller.listening_on[0].split(":")[2].split(";")[0])
            await send_datagrams(caller_port, forged)

            answer = await call.send_message("still there?").check()

            assert answer.status == 200
            assert call.state.value == "connected"
            assert len(under_attack.server.calls) == 1
        await under_attack.settle()


def _forged(call_id: str) -> list[bytes]:
    """Return what somebody sends who knows the Call-ID, and no tag."""
    to = "<sip:server@127.0.0.1>;tag=guessed"
    lines = [
        ("BYE sip:server@127.0.0.1 SIP/2.0", "9 BYE"),
        ("CANCEL sip:server@127.0.0.1 SIP/2.0", "1 CANCEL"),
        ("CANCEL sip:server@127.0.0.1 SIP/2.0", "2 CANCEL"),
        ("ACK sip:server@127.0.0.1 SIP/2.0", "2 ACK"),
        ("INVITE sip:server@127.0.0.1 SIP/2.0", "9 INVITE"),
        ("INFO sip:server@127.0.0.1 SIP/2.0", "9 INFO"),
        ("SIP/2.0 200 OK", "2 INVITE"),
        ("SIP/2.0 200 OK", "3 BYE"),
        ("SIP/2.0 481 Gone", "3 MESSAGE"),
        ("SIP/2.0 603 Decline", "2 INVITE"),
    ]
    return [
        message(line, number=number, To=to, CSeq=cseq, **{"Call-ID": call_id})
        for number, (line, cseq) in enumerate(lines, 100)
    ]
