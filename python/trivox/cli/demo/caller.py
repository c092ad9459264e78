"""The caller: places one call, speaks, listens to the keys and the reply."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.call.events import DtmfReceived
from trivox.call.settings import CallSettings
from trivox.cli.demo.options import DROPPED_SHARE, LEAD, PLAN_HEADER, DemoOptions, Fault, Plan
from trivox.cli.demo.progress import Snapshot, figures_of, first_of, follow
from trivox.errors import TrivoxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.call import Call
    from trivox.client.client import Client

_PATIENCE: Final = 20.0
"""Seconds the callee may take for its keys and its reply."""


@final
@dataclass(slots=True)
class CallerResult:
    """One call is over at the caller. Times are seconds; `error` is empty when all went well.

    `recording_began` is on the system's monotonic clock: Trio's differs from process to process.
    """

    call: str
    sip_call_id: str = ""
    setup: float = 0.0
    digits: str = ""
    end: str = ""
    error: str = ""
    recording_began: float = 0.0
    timings: dict[str, float | None] = field(default_factory=dict)
    statistics: dict[str, object] = field(default_factory=dict)


async def place_call(
    client: Client,
    destination: str,
    plan: Plan,
    options: DemoOptions,
    show: Callable[[Snapshot], None],
) -> CallerResult:
    """Make one call from dialling to its end, and say how it went."""
    settings = CallSettings(
        media=plan.media,
        audio_codecs=(plan.codec,),
        mute_audio=options.fault is Fault.MUTED,
        extra_headers={PLAN_HEADER: plan.name},
    )
    result = CallerResult(plan.name)
    try:
        async with client.dial(destination, settings) as call:
            result.sip_call_id = call.sip_call_id
            try:
                await _talk(call, plan, options, show, result)
            finally:
                _note(call, result)
        _note(call, result)
    except* TrivoxError as errors:
        result.error = first_of(errors)
    return result


async def _talk(
    call: Call,
    plan: Plan,
    options: DemoOptions,
    show: Callable[[Snapshot], None],
    result: CallerResult,
) -> None:
    if options.fault is Fault.DROP:
        leg = call._leg  # noqa: SLF001 (a fault on purpose is no part of the public API)
        leg.sessions.set_impairment(leg.session, DROPPED_SHARE)

    def note_digit(event: DtmfReceived) -> None:
        result.digits += event.tone

    recording = options.out / plan.name / "caller.wav"
    with call.add_event_listener(DtmfReceived, note_digit):
        async with call.recording(recording), trio.open_nursery() as nursery:
            result.recording_began = time.monotonic()
            nursery.start_soon(follow, "caller", plan.name, call, show)
            await trio.sleep(LEAD)
            await call.play(options.played)
            with trio.move_on_after(_PATIENCE):
                await call.wait_ended()
            nursery.cancel_scope.cancel()


def _note(call: Call, result: CallerResult) -> None:
    """Write down what is known of the call now; the last time counts."""
    timings = call.timings
    began = timings.started or timings.created
    result.setup = timings.setup or 0.0
    result.end = str(call.end) if call.end is not None else ""
    result.statistics = figures_of(call.statistics())
    result.timings = {
        name: None if moment is None else round(moment - began, 6)
        for name, moment in (
            ("progressed", timings.progressed),
            ("answered", timings.answered),
            ("connected", timings.connected),
            ("first_rtp", timings.first_rtp),
            ("ended", timings.ended),
        )
    }
