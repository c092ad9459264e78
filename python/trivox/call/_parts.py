"""What the steps of a call ask of its parts, in their order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trivox.call._endings import expire
from trivox.call._engine_events import report_statistics
from trivox.call._far_changes import withdraw_upgrade
from trivox.call._wishes import catch_up

if TYPE_CHECKING:
    from trivox.call._core import CallCore


def begin_media(call: CallCore) -> None:
    """Let begin what has waited until the call is connected."""
    call._leg.begin_flow()
    if call.settings.max_duration is not None:
        call._after("duration", call.settings.max_duration, partial(expire, call))
    if call.settings.report_stats:
        call._after("statistics", call.settings.stats_interval, partial(report_statistics, call))
    if call._audio is not None:
        catch_up(call)
        call._go_on()  # what an early dialog could not be asked for
    if call._transfers is not None:
        call._transfers.take_overtaken()


def settle_requests(call: CallCore) -> None:
    """Fail all that waits for something in the call, and forget its parts: it is over."""
    if call._upgrade is not None:
        withdraw_upgrade(call)
    if call._changes is not None:
        call._changes.close(call._ended_error())
    for receipt in call._receipts.values():
        receipt.fail(call._ended_error())
    call._receipts.clear()
    if call._transfers is not None:
        call._transfers.close(call._ended_error())
    if call._tones is not None:
        call._tones.close()
    call._forget_parts()
