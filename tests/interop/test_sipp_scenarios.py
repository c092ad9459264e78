"""Scenarios of our own for sipp: each is one rule of a call, and sipp is the judge.

Every file under far_ends/scenarios says in its first comment what it proves.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import trivox
from trivox.sip import Uri

from .far_ends.ports import free_port
from .far_ends.sipp import run_sipp

pytestmark = [pytest.mark.interop, pytest.mark.far_end("sipp"), pytest.mark.slow]

SCENARIOS = Path(__file__).parent / "far_ends" / "scenarios"
LISTEN = ("sip:127.0.0.1:0;transport=udp",)
RTP = trivox.CallSettings(media="rtp")


async def _answer_and_wait(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()


async def _ring(call: trivox.Call) -> None:
    await call.progress(180)
    await call.wait_ended()


async def _ring_and_answer(call: trivox.Call) -> None:
    await call.progress(180)
    await _answer_and_wait(call)


async def _hold_and_hang_up(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_connected()
    await call.hold()
    assert call.is_on_hold.value


async def _follow(call: trivox.Call) -> None:
    call.add_event_listener(trivox.TransferRequested, lambda event: event.accept())
    await _answer_and_wait(call)


def _tell(event: trivox.SubscriptionRequested) -> None:
    counts = {"voice-message": trivox.MessageCounts(new=2, old=1)}
    event.accept(trivox.MessageSummary(has_messages=True, account=event.from_uri, counts=counts))


async def _be_asked(call: trivox.Call) -> None:
    """Answer the caller who refers; whom it refers us to is not here."""
    if "elsewhere" in call.destination:
        call.reject(404)
    else:
        await _follow(call)


HANDLERS = {
    "uac_glare": _hold_and_hang_up,
    "uac_cancel_ringing": _ring,
    "uac_prack": _ring_and_answer,
    "uac_refer": _be_asked,
}


@pytest.mark.parametrize(
    "scenario",
    [
        "uac_lost_ack",
        "uac_late_cancel",
        "uac_cancel_ringing",
        "uac_reinvite",
        "uac_delayed_offer",
        "uac_requests",
        "uac_update",
        "uac_session_timer",
        "uac_prack",
        "uac_glare",
        "uac_refer",
        "uac_subscribe",
    ],
)
async def test_sipp_calls_and_is_answered_by_the_rules(run_dir, nursery, scenario):
    async with trivox.open_client(listen=LISTEN, event_packages=("message-summary",)) as client:
        client.add_event_listener(trivox.SubscriptionRequested, _tell)
        nursery.start_soon(client.serve, HANDLERS.get(scenario, _answer_and_wait))

        result = await run_sipp(
            run_dir, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-m", "3", "-r", "10",
            "-timeout", "20s", f"127.0.0.1:{Uri.parse(client.listening_on[0]).port}",
        )  # fmt: skip

        assert (result.successful, result.failed) == (3, 0), result.errors
        with trio.fail_after(30):
            while client.calls:
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()


async def _far_end(run_dir, scenario, port, calls, results, task_status=trio.TASK_STATUS_IGNORED):
    scenario_file = str(SCENARIOS / f"{scenario}.xml")
    words = ("-sf", scenario_file, "-p", str(port), "-m", str(calls), "-timeout", "40s")
    results.append(await run_sipp(run_dir, *words, task_status=task_status))


async def _called(run_dir, scenario, act, calls=1):
    """Let sipp answer the calls by the scenario; `act` places them. Returns sipp's result."""
    results = []
    port = free_port()
    async with trivox.open_client(listen=LISTEN) as client, trio.open_nursery() as own:
        await own.start(_far_end, run_dir, scenario, port, calls, results)
        with trio.fail_after(40):
            await act(client, f"sip:service@127.0.0.1:{port}")
    return results[0]


async def _dial_and_hang_up(client, uri) -> None:
    async with client.dial(uri, RTP) as call:
        assert call.state.value is trivox.CallState.CONNECTED
        await trio.sleep(0.3)
    assert (await call.wait_ended()).reason is trivox.EndReason.LOCAL_ENDED


@pytest.mark.parametrize(
    "scenario", ["uas_forked", "uas_two_2xx", "uas_session_timer", "uas_prack"]
)
async def test_sipp_is_called_by_the_rules(run_dir, scenario):
    result = await _called(run_dir, scenario, _dial_and_hang_up)

    assert (result.successful, result.failed) == (1, 0), result.errors


async def test_lost_answers_and_acknowledgements_come_again(run_dir):
    async def five_calls(client, uri) -> None:
        for _ in range(5):
            async with client.create_call(uri, RTP) as call:
                await call.start()
                assert (await call.wait_ended()).reason is trivox.EndReason.REMOTE_ENDED

    result = await _called(run_dir, "uas_lossy", five_calls, calls=5)

    assert (result.successful, result.failed) == (5, 0), result.errors


async def test_an_answer_that_crosses_our_cancel_is_hung_up(run_dir):
    async def act(client, uri) -> None:
        call = client.create_call(uri, RTP)
        connected: list[object] = []
        call.add_event_listener(trivox.Connected, connected.append)
        await call.start()
        await call.is_ringing.wait_value(True)
        call.hangup()
        assert (await call.wait_ended()).reason is trivox.EndReason.LOCAL_ENDED
        assert not connected

    result = await _called(run_dir, "uas_cancel_crossing", act)

    assert (result.successful, result.failed) == (1, 0), result.errors


async def test_a_redirection_is_not_followed_without_a_yes(run_dir):
    async def act(client, uri) -> None:
        with pytest.raises(trivox.CallFailedError) as failed:
            async with client.dial(uri, RTP):
                pass
        assert failed.value.sip_code == 302

    result = await _called(run_dir, "uas_redirect", act)

    assert (result.successful, result.failed) == (1, 0), result.errors
