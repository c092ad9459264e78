"""What cannot be done with a call, as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.errors.base import RefusedError, TrivoxError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.call.events import CallEnd


class CallError(TrivoxError):
    """Something about one call."""


class CallWrongStateError(CallError):
    """The operation is not possible in the call's state; nothing was done.

    Attributes:
        state: The state the call was in.
        allowed: The states in which the operation is possible.
    """

    def __init__(
        self,
        message: str = "",
        *,
        state: str = "",
        allowed: Iterable[str] = (),
        call_id: str | None = None,
    ) -> None:
        super().__init__(message, call_id=call_id)
        self.state = state
        self.allowed = tuple(allowed)

    def __str__(self) -> str:
        text = super().__str__()
        if self.state:
            text += f" (the call is {str(self.state).upper()})"
        if self.allowed:
            names = ", ".join(str(state).upper() for state in self.allowed)
            text += f": it needs the state to be {names}"
        return text


class CallEndedError(CallWrongStateError):
    """The call has ended, so the operation or the wait can no longer succeed.

    `end`: Why and how the call ended; None when that is not known.
    """

    def __init__(
        self,
        message: str = "the call has ended",
        *,
        end: CallEnd | None = None,
        call_id: str | None = None,
    ) -> None:
        super().__init__(message, call_id=call_id)
        self.end = end

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.end is None else f"{text}: {self.end}"


class CallReconnectingError(CallWrongStateError, advice="wait until call.state is CONNECTED again"):
    """The call is re-establishing its media or flow; the operation has to wait."""


class CallWrongDirectionError(CallError):
    """The operation belongs to the other direction: answering is for incoming calls only."""


class CallOnHoldError(CallError, advice="take it off hold first with hold(False)"):
    """The call is on hold already, or the operation needs it not to be."""


class CallNotOnHoldError(CallError):
    """The call is not on hold, so it cannot be taken off."""


class CallJoinedError(CallError, advice="let it leave that first"):
    """The call is in a bridge or conference, and can be in one at a time."""


class CallNotFoundError(CallError):
    """No live call has that id."""


class CallInternalError(CallError, advice="please report it with the traceback"):
    """Something inside trivox went wrong; this call only is affected."""


class CallTransferError(CallError):
    """A transfer did not come about."""


class CallTransferFailedError(RefusedError, CallTransferError):
    """The far end or the target refused the transfer. `sip_code` says with what."""


class CallTransferTimeoutError(CallTransferError, TimeoutError):
    """The far end never said how the transfer went."""
