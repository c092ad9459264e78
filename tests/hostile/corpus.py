"""What an attacker sends: the torture files, and bytes drawn from a seed."""

from __future__ import annotations

import random
from pathlib import Path

TORTURE = Path(__file__).parents[1] / "data" / "torture"
SECRET = "hunter2-5ecre7"
"""The password of every user here; it may be in no log."""

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
_CREDENTIALS = (
    'Digest username="server", realm="127.0.0.1", nonce="n", uri="sip:127.0.0.1", '
    f'response="{SECRET}", qop=auth, nc=00000001, cnonce="c", algorithm=SHA-256'
)


def message(first_line: str, *, number: int = 1, body: str = "", **headers: str) -> bytes:
    """Return a well-formed message; headers replace the usual ones, `_` stands for `-`."""
    method = first_line.split(" ", 1)[0]
    values = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKattack{number};rport",
        "Max-Forwards": "70",
        "From": "<sip:mallory@127.0.0.1>;tag=evil",
        "To": "<sip:server@127.0.0.1>",
        "Call-ID": f"attack-{number}",
        "CSeq": f"{number} {method}",
        "Contact": "<sip:mallory@127.0.0.1:9>",
        "Content-Length": str(len(body.encode())),
    }
    values.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [first_line, *(f"{name}: {value}" for name, value in values.items() if value)]
    return "\r\n".join([*lines, "", body]).encode()


def templates(number: int) -> list[bytes]:
    """Return one good message of each kind, to be bent."""
    tagged = "<sip:server@127.0.0.1>;tag=nobody"
    return [
        message(
            "INVITE sip:server@127.0.0.1 SIP/2.0",
            number=number,
            body=SDP,
            Content_Type="application/sdp",
        ),
        message("INVITE sip:server@127.0.0.1 SIP/2.0", number=number, body="x" * 100),
        message(
            "REGISTER sip:127.0.0.1 SIP/2.0",
            number=number,
            To="<sip:server@127.0.0.1>",
            Contact="<sip:server@127.0.0.1:9>;expires=60, *",
            Authorization=_CREDENTIALS,
        ),
        message("OPTIONS sip:127.0.0.1 SIP/2.0", number=number, Require="nothing, 100rel"),
        message("BYE sip:server@127.0.0.1 SIP/2.0", number=number, To=tagged),
        message("CANCEL sip:server@127.0.0.1 SIP/2.0", number=number),
        message("ACK sip:server@127.0.0.1 SIP/2.0", number=number, To=tagged),
        message("INFO sip:server@127.0.0.1 SIP/2.0", number=number, To=tagged, body="Signal=1"),
        message("MESSAGE sip:server@127.0.0.1 SIP/2.0", number=number, body="\x1b[2Jhello"),
        message("SIP/2.0 200 OK", number=number, To=tagged, CSeq="1 INVITE", body=SDP),
        message("SIP/2.0 180 Ringing", number=number, To=tagged, CSeq="1 INVITE"),
        message("SIP/2.0 401 Unauthorized", number=number, To=tagged, CSeq="1 REGISTER"),
    ]


def torture() -> list[bytes]:
    """Return the messages of RFC 4475 and RFC 5118."""
    return [path.read_bytes() for path in sorted(TORTURE.glob("rfc*/*.dat"))]


def oversized(number: int) -> list[bytes]:
    """Return what is too much of something."""
    uri = "OPTIONS sip:127.0.0.1 SIP/2.0"
    many = {f"X-{index}": "y" for index in range(400)}
    vias = ", ".join(f"SIP/2.0/UDP h{index};branch=z9hG4bK{index}" for index in range(200))
    return [
        message(uri, number=number, X_Long="a" * 60_000),
        message(uri, number=number, **many),
        message(uri, number=number, Via=vias),
        message(uri, number=number, CSeq="9" * 5000 + " OPTIONS"),
        message(uri, number=number, Max_Forwards="9" * 5000),
        message(f"OPTIONS sip:{'a' * 50_000}@127.0.0.1 SIP/2.0", number=number),
        message(uri, number=number, From="<" * 20_000),
        message(uri, number=number, From='"' + "\\" * 20_001 + '" <sip:a@b>;tag=1'),
        message(uri, number=number, To="<sip:a@b" + ";p=1" * 5000 + ">"),
        b"\r\n" * 20_000,
        b"\0" * 65_000,
    ]


LENGTHS = ("-1", "+5", "1_0", "٣", "99999999999999999999", "0x10", "3, 4", "", "65537", "1e2")
"""Values of Content-Length that are none, or too much."""


def bad_lengths(number: int) -> list[bytes]:
    """Return messages whose Content-Length lies."""
    uri = "MESSAGE sip:127.0.0.1 SIP/2.0"
    bent = [
        message(uri, number=number, Content_Length=value or " ", body="hello") for value in LENGTHS
    ]
    twice = message(uri, number=number, body="hello", l="2")
    return [*bent, twice]


def mutated(draw: random.Random, number: int) -> bytes:
    """Return a good message with a few things done to it."""
    return bent(draw, templates(number))


def bent(draw: random.Random, good: list[bytes]) -> bytes:
    """Return one of several messages with a few things done to it."""
    data = bytearray(draw.choice(good))
    for _ in range(draw.randint(1, 5)):
        place = draw.randrange(len(data))
        match draw.randrange(6):
            case 0:
                data[place] = draw.randrange(256)
            case 1:
                del data[place : place + draw.randint(1, 40)]
            case 2:
                pieces = [b"\r\n", b"\n", b";", b",", b"<", b'"', b"\0", b"\x85", b"\xff", b"%00"]
                data[place:place] = draw.choice(pieces) * draw.randint(1, 4)
            case 3:
                other = draw.choice(good)
                start = draw.randrange(len(other))
                data[place:place] = other[start : start + draw.randint(1, 80)]
            case 4:
                del data[place:]
            case _:
                data[place:place] = data[place : place + 30] * 3
        if not data:
            return b"\r"
    return bytes(data)


def corpus(seed: int, count: int) -> list[bytes]:
    """Return everything, in an order of the seed: torture, random bytes, mutations, excess."""
    draw = random.Random(seed)
    messages = torture() + oversized(1) + bad_lengths(2) + templates(3)
    messages += [draw.randbytes(draw.randint(1, 1500)) for _ in range(count // 4)]
    messages += [mutated(draw, number) for number in range(10, 10 + count)]
    draw.shuffle(messages)
    return messages
