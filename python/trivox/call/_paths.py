"""The face of a call for the paths its media take: ICE begun anew, by the program or by itself."""

from __future__ import annotations

from functools import partial
from typing import Final

from trivox.call._data import CallData
from trivox.call._media import ICE
from trivox.call.states import CallDirection, Phase
from trivox.call.wish import RestartIce
from trivox.errors import NotSupportedError

_RESTART: Final = "ice restart"
_PATIENCE: Final = 4.0
"""Seconds the called side waits for the caller to look for a path, and before a second attempt."""
_MOST_RESTARTS: Final = 4
"""Attempts for one lost path, each after twice the pause before; the engine gives up after 30 s."""


class CallPaths(CallData):
    """What a call does about a media path."""

    async def restart_ice(self) -> None:
        """Look for a media path anew (RFC 8445 §9); returns when the far end has agreed.

        Media goes on over the old path until a new one is found. It happens by itself when a path
        has been silent for 10 seconds: from the caller's side, and from the other 4 seconds later.
        There are four such attempts at most for one lost path, 4, 8 and 16 seconds apart.
        Cancelling it unsends nothing.

        Raises:
            NotSupportedError: The media of this call do not travel by ICE.
            CallWrongStateError: The call is not connected.
            StreamUpdateFailedError: The far end refused; all is as before.
        """
        self._refuse_ended()
        if self._phase is not Phase.CONNECTED:
            raise self._wrong_state("restart_ice() needs a connected call")
        if not self._leg.is_ice:
            raise NotSupportedError(
                "there is no ICE in this call: its media take the one path its SDP names",
                call_id=self.id,
            )
        await self._renegotiation().ask(RestartIce()).wait()

    def _begin_reconnecting(self, cause: str) -> None:
        super()._begin_reconnecting(cause)
        if cause == ICE and self._leg.is_ice:
            is_ours = self.direction is CallDirection.OUTGOING
            self._plan_restart(0, 0.0 if is_ours else _PATIENCE)

    def _plan_restart(self, attempts: int, pause: float) -> None:
        self._after(_RESTART, pause, partial(self._restart_lost_path, attempts + 1))

    def _restart_lost_path(self, attempt: int) -> None:
        if ICE not in self._lost_paths or self._phase is not Phase.CONNECTED:
            return
        if self._renegotiation().is_idle:
            self._renegotiation().ask(RestartIce())
        if attempt < _MOST_RESTARTS:
            self._plan_restart(attempt, _PATIENCE * 2 ** (attempt - 1))
