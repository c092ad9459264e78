"""What a program passes in cannot forge a header, whatever text it is."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from trivox._native import Message
from trivox.call.settings import CallSettings
from trivox.client.config import AccountConfig
from trivox.client.opening import open_client
from trivox.errors import InvalidArgumentsError
from trivox.testing import Link
from trivox.testing.fake_engine import fake_media

FORGED = "x\r\nX-Forged: yes"
CONTROLS = ["\r", "\n", "\r\n", "\0", "\x0b", "\x0c", "\x1b", "\x1c", "\x7f", "\x85", "\u2028"]
TEXT = st.text(max_size=20) | st.sampled_from([FORGED, *CONTROLS]).map(lambda text: f"a{text}b")
USUAL = {
    "Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Allow", "Allow-Events",
    "Supported", "Session-Expires", "User-Agent", "Content-Type", "Content-Length",
}  # fmt: skip


def place(destination: str = "sip:bob@10.0.0.9", **chosen: object) -> list[Message]:
    """Return the INVITE that a call with these settings sends, as it was sent."""
    sent: list[bytes] = []

    async def program() -> None:
        media, _ = fake_media(now=trio.current_time())
        link = Link()
        async with open_client(
            listen=["sip:10.0.0.1:5060;transport=udp"],
            engine=media,
            sockets=link.host("10.0.0.1"),
            trace=lambda *message: sent.append(message[-1]),
            shutdown_grace=0.1,
        ) as client:
            await client.create_call(destination, CallSettings(**chosen)).start()
            await trio.testing.wait_all_tasks_blocked()

    trio.run(program, clock=trio.testing.MockClock(autojump_threshold=0))
    return [Message.parse(data) for data in sent[:1]]


def sent_or_refused(**chosen: object) -> list[Message]:
    """Return the INVITE, or nothing when the arguments were refused."""
    try:
        return place(**chosen)
    except InvalidArgumentsError:
        return []


@settings(max_examples=60)
@given(TEXT)
def test_a_header_value_stays_in_its_header(value):
    for invite in sent_or_refused(extra_headers={"X-Given": value}):
        assert {name for name, _ in invite.items()} - USUAL == {"X-Given"}
        assert invite.header("X-Given") == value.strip(" \t")


@settings(max_examples=60)
@given(TEXT)
def test_a_header_name_is_one_name_or_refused(name):
    for invite in sent_or_refused(extra_headers={name: "value"}):
        assert len(invite.items()) == len(place()[0].items()) + 1
        assert "X-Forged" not in dict(invite.items())


@settings(max_examples=60)
@given(TEXT)
def test_a_display_name_stays_in_from(name):
    for invite in sent_or_refused(caller_name=name):
        assert {each for each, _ in invite.items()} <= USUAL
        assert invite.validate() is None
        assert len(invite.headers("From")) == 1


@settings(max_examples=60)
@given(TEXT)
def test_custom_data_stays_in_its_header(text):
    for invite in sent_or_refused(custom_data=text):
        assert {each for each, _ in invite.items()} - USUAL <= {"X-Custom-Data"}


@settings(max_examples=60)
@given(TEXT)
def test_a_destination_stays_in_the_request_line(text):
    for invite in sent_or_refused(destination=f"sip:{text}@10.0.0.9"):
        assert {each for each, _ in invite.items()} <= USUAL
        assert invite.method == "INVITE"


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_refused_in_an_account(control):
    with pytest.raises(ValueError):
        AccountConfig("sip:alice@example.org", display_name=f"Alice{control}")
    with pytest.raises(ValueError):
        AccountConfig(f"sip:alice{control}@example.org")


@pytest.mark.parametrize("control", CONTROLS)
async def test_control_characters_are_refused_inside_a_call(autojump_clock, control):
    media, _ = fake_media()
    link = Link()
    text = f"text/plain{control}X-Forged: yes"

    async def serve(call) -> None:
        await call.answer()
        await call.wait_ended()

    async with (
        open_client(
            listen=["sip:10.0.0.1:5060"], engine=media, sockets=link.host("10.0.0.1")
        ) as caller,
        open_client(
            listen=["sip:10.0.0.2:5060"], engine=media, sockets=link.host("10.0.0.2")
        ) as callee,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, serve)
        async with caller.dial("sip:bob@10.0.0.2:5060") as call:
            for refused in (
                lambda: call.send_info(text),
                lambda: call.send_info("text/plain", headers={"X-A": text}),
                lambda: call.send_info("text/plain", headers={text: "a"}),
                lambda: call.hangup({"X-A": text}),
                lambda: call.hangup(reason=text),
                lambda: call.send_dtmf(f"1{control}"),
            ):
                with pytest.raises(ValueError):
                    refused()
            with pytest.raises(ValueError):
                await call.send_request("INFO", headers={"X-A": text})
            with pytest.raises(ValueError):
                await call.send_request(f"INFO{control}")
            with pytest.raises(ValueError):
                await caller.request("OPTIONS", f"sip:10.0.0.2{control}")
            with pytest.raises(ValueError):
                await caller.request(f"OPTIONS{control}", "sip:10.0.0.2")

            answer = await call.send_info("text/plain", f"a body may hold {control}").check()

            assert answer.status == 200
        nursery.cancel_scope.cancel()
