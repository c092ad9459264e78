"""The paths of a call, its media's and its signalling's: what is done when one is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from trivox.call._endings import lose
from trivox.call._values import CAN_RECONNECT
from trivox.call.events import Originator, Reconnected, Reconnecting
from trivox.call.states import CallDirection, Phase, Trigger
from trivox.call.wish import RestartIce
from trivox.errors import NotSupportedError

if TYPE_CHECKING:
    from trivox.call._core import CallCore

ICE: Final = "ice"
"""The path of a call's media, among those that can be lost."""
FLOW: Final = "flow"
"""The path of its signalling: the connection that only the far end can open."""
FLOW_GRACE: Final = 32.0
"""Seconds a call waits in RECONNECTING for the far end's connection: 64·T1, as a request does."""
_RESTART: Final = "ice restart"
_PATIENCE: Final = 4.0
"""Seconds the called side waits for the caller to look for a path, and before a second attempt."""
_MOST_RESTARTS: Final = 4
"""Attempts for one lost path, each after twice the pause before; the engine gives up after 30 s."""


async def restart_ice(call: CallCore) -> None:
    """Look for a media path anew: see `Call.restart_ice`."""
    call._refuse_ended()
    if call._phase is not Phase.CONNECTED:
        raise call._wrong_state("restart_ice() needs a connected call")
    if not call._leg.is_ice:
        raise NotSupportedError(
            "there is no ICE in this call: its media take the one path its SDP names",
            call_id=call.id,
        )
    await call._renegotiation().ask(RestartIce()).wait()


def lose_path(call: CallCore, cause: str) -> None:
    """Note that a path is lost; one of ICE is looked for anew, by the caller first."""
    if call._phase in CAN_RECONNECT:
        is_first = not call._lost_paths
        call._lost_paths |= {cause}
        if is_first:
            call._tell("state")
            call._emit(Reconnecting, Originator.SYSTEM, cause=cause)
    if cause == ICE and call._leg.is_ice:
        is_ours = call.direction is CallDirection.OUTGOING
        _plan_restart(call, 0, 0.0 if is_ours else _PATIENCE)


def regain_path(call: CallCore, cause: str) -> None:
    """Note that a path is back; the call is in its old state again when none is lost."""
    if cause not in call._lost_paths:
        return
    call._lost_paths -= {cause}
    if call._phase in CAN_RECONNECT and not call._lost_paths:
        call._tell("state")
        call._emit(Reconnected, Originator.SYSTEM, cause=cause)
        call._go_on()


def _plan_restart(call: CallCore, attempts: int, pause: float) -> None:
    call._after(_RESTART, pause, partial(_restart_lost_path, call, attempts + 1))


def _restart_lost_path(call: CallCore, attempt: int) -> None:
    if ICE not in call._lost_paths or call._phase is not Phase.CONNECTED:
        return
    if call._renegotiation().is_idle:
        call._renegotiation().ask(RestartIce())
    if attempt < _MOST_RESTARTS:
        _plan_restart(call, attempt, _PATIENCE * 2 ** (attempt - 1))


def note_flow_lost(call: CallCore) -> None:
    """Wait for the far end to come back by another connection, at most `FLOW_GRACE`."""
    lose_path(call, FLOW)
    if FLOW in call._lost_paths:
        # Only the far end can open it anew.
        call._after(FLOW, FLOW_GRACE, partial(_give_up_flow, call))


def note_flow_back(call: CallCore) -> None:
    """Go on where the call was: a message of its dialog came by a live connection."""
    call._withdraw(FLOW)
    regain_path(call, FLOW)


def _give_up_flow(call: CallCore) -> None:
    if call._phase in CAN_RECONNECT:
        call._farewell.status = 480
        lose(call, "the far end did not connect again", Trigger.LOST)
