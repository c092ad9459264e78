"""Transfers a program asks for: the REFER, what becomes of it, and who waits for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from trivox.actor.receipt import OpenReceipt
from trivox.call._endings import leave
from trivox.call.events import (
    EndReason,
    Originator,
    TransferCompleted,
    TransferFailed,
    TransferProgress,
)
from trivox.call.farewell import Farewell
from trivox.call.states import Phase, Trigger
from trivox.errors import (
    CallTransferFailedError,
    CallTransferTimeoutError,
    ConnectionTimeoutError,
    TransportError,
)
from trivox.sip.refer import EXPLICITSUB, NOSUB, REFER_EVENTS_AT, events_at_untrusted
from trivox.sip.transfer import Transfer
from trivox.sip.transfer_table import TransferState

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message
    from trivox.call._core import CallCore
    from trivox.call.messages import SipResponse
    from trivox.sip.transfer import TransferChanged


@final
@dataclass(frozen=True, slots=True)
class TransferResult:
    """How a transfer went: the far end reached the target.

    Attributes:
        code: The status the far end reported; with `is_confirmed` False the last it told, or 202.
        reason: Its phrase.
        is_confirmed: False when the far end accepted the transfer and left without telling how it
            went, or was asked not to tell (`Refer-Sub: false`, RFC 4488).
    """

    code: int
    reason: str
    is_confirmed: bool


@final
class OutgoingTransfer:
    """One REFER of a call's own, up to its outcome. Settles the request it is sent with.

    Args:
        call: The call it is sent in.
        consulted: The call whose far end is the target of an attended transfer, or None.
    """

    def __init__(self, call: CallCore, consulted: CallCore | None) -> None:
        self.receipt: OpenReceipt[TransferResult] = OpenReceipt()
        self._call = call
        self._consulted = consulted
        self._machine = Transfer(0)
        self._tag = ""
        self._again: Callable[[], None] | None = None
        self._is_closed = False
        self.on_over: Callable[[], None] | None = None
        """Called once when nothing more has to be heard of it."""
        if consulted is not None:
            consulted._transferring().consulting = self

    def begin(self, cseq: int, tag: str, again: Callable[[], None] | None) -> None:
        """Take that its REFER is being sent.

        Args:
            cseq: The CSeq of the REFER.
            tag: What it requires of RFC 7614: "nosub", where a 2xx promises that nothing will be
                told, "explicitsub", where it says where to subscribe, or empty.
            again: Sends it without that to a far end that does not know it; None: it stays at that.
        """
        self._machine = Transfer(cseq)
        self._tag = tag
        self._again = again

    @property
    def is_over(self) -> bool:
        """Whether the outcome is known."""
        return self._machine.is_over or self._is_closed

    @property
    def _is_wanted(self) -> bool:
        """Whether anybody waits for the outcome: not of a call that is being hung up."""
        return not self.is_over and self._call._phase is Phase.CONNECTED

    @property
    def is_accepted(self) -> bool:
        """Whether the far end is about to place the call, or has placed it."""
        return self._machine.state in (TransferState.ACCEPTED, TransferState.SUCCEEDED)

    def resolve(self, response: SipResponse, /) -> None:
        """Take the final response to the REFER."""
        again, self._again = self._again, None
        if again is not None and _is_unknown(self._tag, response) and self._is_wanted:
            again()
            return
        events_at = self._events_at(response)
        sub = "false" if self._tag == NOSUB else response.headers.get("Refer-Sub", "")
        if events_at is not None:
            sub = ""  # of the subscription that the REFER would have made, and has not
        now = self._call._now()
        status, reason = response.status, response.reason
        self._take(self._machine.handle_response(status, reason, now, refer_sub=sub))
        if events_at is not None and self._is_wanted:
            self._call._host.follow_reports(self._call._face, self, events_at)

    def _events_at(self, response: SipResponse) -> str | None:
        """Return where to subscribe; without it the far end is heard as ever, until it is time."""
        if self._tag != EXPLICITSUB or not response.is_success:
            return None
        values = response.headers.all(REFER_EVENTS_AT)
        return events_at_untrusted(values[0]) if len(values) == 1 else None

    def lose(self, why: str) -> None:
        """Take that nobody will tell how it goes: the subscription is refused, or over."""
        if not self.is_over:
            self._take(self._machine.handle_unheard(why, self._call._now()))

    def fail(self, error: Exception, /) -> None:
        """Take that the REFER has no final response."""
        if not isinstance(error, TransportError):
            self.close(error)
            return
        status = 408 if isinstance(error, ConnectionTimeoutError) else 503
        now = self._call._now()
        self._take(self._machine.handle_response(status, str(error), now))

    def take_notify(self, message: Message) -> bool:
        """Take a NOTIFY; False when it is about something else."""
        if not self._machine.concerns(message):
            return False
        now = self._call._now()
        self._take(self._machine.handle_notify(message, now), message)
        return True

    def take_left(self) -> None:
        """Take that the far end hangs up."""
        self._take(self._machine.handle_left(self._call._now()))

    def close(self, error: Exception) -> None:
        """Let it go: the call has ended."""
        self._is_closed = True
        self._release()
        self.receipt.fail(error)

    def _expire(self) -> None:
        self._take(self._machine.handle_timeout(self._call._now()))

    def _take(self, changes: tuple[TransferChanged, ...], message: Message | None = None) -> None:
        call = self._call
        deadline = self._machine.next_deadline()
        if deadline is not None:
            call._after("transfer", deadline - call._now(), self._expire)
        for change in changes:
            payload = {"code": change.status, "reason": change.reason}
            match change.state:
                case TransferState.SUCCEEDED:
                    call._withdraw("transfer")
                    call._emit(TransferCompleted, Originator.REMOTE, message, **payload)
                    self._succeed(change)
                case TransferState.FAILED:
                    call._withdraw("transfer")
                    call._emit(TransferFailed, Originator.REMOTE, message, **payload)
                    self._give_up(change)
                case _:
                    call._emit(TransferProgress, Originator.REMOTE, message, **payload)

    def _succeed(self, change: TransferChanged) -> None:
        status = change.status or 202
        self.receipt.resolve(TransferResult(status, change.reason, change.is_reported))
        consulted = self._consulted
        self._release()
        leave_transferred(self._call)
        if consulted is not None:
            leave_transferred(consulted)

    def _give_up(self, change: TransferChanged) -> None:
        self._release()
        call_id = self._call.id
        if change.status == 408 and change.is_reported:
            text = f"the far end did not say how the transfer went: {change.reason}"
            self.receipt.fail(CallTransferTimeoutError(text, call_id=call_id))
            return
        # Without a status nobody refused it: the far end hung up before it said anything.
        how = f"was refused with {change.status}" if change.status else "had no answer:"
        text = f"the transfer {how} {change.reason}".rstrip()
        self.receipt.fail(CallTransferFailedError(text, sip_code=change.status, call_id=call_id))

    def _release(self) -> None:
        consulted, self._consulted = self._consulted, None
        theirs = None if consulted is None else consulted._transfers
        if theirs is not None and theirs.consulting is self:
            theirs.consulting = None
        on_over, self.on_over = self.on_over, None
        if on_over is not None:
            on_over()


def _is_unknown(tag: str, response: SipResponse) -> bool:
    """Whether a far end says that it does not know an option tag (RFC 3261 §8.1.3.5)."""
    if response.status != 420:
        return False
    named = ",".join(response.headers.all("Unsupported")) or tag
    return tag in (one.strip().lower() for one in named.split(","))


def leave_transferred(call: CallCore) -> None:
    """Hang up: the far end has somebody else now."""
    leave(call, EndReason.TRANSFERRED, Farewell(), Originator.REMOTE, Trigger.TRANSFERRED)
