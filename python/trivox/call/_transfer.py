"""Transfers, as a part of the call: by REFER both ways, and by another call in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.call._messages import CallMessages
from trivox.call.events import EndReason, Originator, Replaced, TransferRequested
from trivox.call.farewell import Farewell
from trivox.call.header_rules import HeaderArguments, checked_headers
from trivox.call.referral import announce, read_referral
from trivox.call.states import CallState, Phase, Trigger
from trivox.call.transfer import OutgoingTransfer, TransferResult
from trivox.errors import CallWrongStateError, InvalidArgumentsError
from trivox.sip.event_headers import read_event_untrusted
from trivox.sip.refer import refer_to
from trivox.sip.replaces import DialogName
from trivox.sip.transfer import PACKAGE

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._requests import Outcome
    from trivox.call.call import Call
    from trivox.call.messages import SipResponse
    from trivox.call.referral import ReferralRequest
    from trivox.net.transport import Address
    from trivox.sip.outputs import Headers

_ALLOW_EVENTS = ("Allow-Events", PACKAGE)
_NEARLY_CONNECTED = frozenset({Phase.IN_ANSWERED, Phase.ESTABLISHING})
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_CONNECTED: Final = Phase.CONNECTED
_REMOTE_ENDED: Final = EndReason.REMOTE_ENDED


class CallTransfer(CallMessages):
    """What makes a call another's."""

    # Of the class: a call that is not transferred pays for none of it.
    _transfer: OutgoingTransfer | None = None
    _consulting: OutgoingTransfer | None = None
    """The transfer that hands this call's far end to another."""
    _referral: ReferralRequest | None = None
    _early_referral: tuple[int, Message] | None = None
    """A REFER that has overtaken the ACK, or the media: it waits for them."""
    _replaces: CallTransfer | None = None
    _joins: CallTransfer | None = None
    _named_by: tuple[int, Address] | None = None
    """Flow and source of the message that named this call's target; None: the program did."""

    @property
    def replaces(self) -> Call | None:
        """The call that this incoming one takes the place of when it is answered (RFC 3891)."""
        return self._replaces._face if self._replaces is not None else None

    @property
    def joins(self) -> Call | None:
        """The call that this incoming one is mixed with when it is answered (RFC 3911)."""
        return self._joins._face if self._joins is not None else None

    async def transfer(
        self, target: str | Call, *, headers: HeaderArguments = None
    ) -> TransferResult:
        """Hand the far end over to somebody else; returns once that is done and this call has ended.

        Blind: the far end calls `target`. Attended: `target` is another connected call, and the
        far end takes its place there (Replaces, RFC 3891); that call ends too. While it waits the
        call goes on; after a refusal as well. Cancelling it does not take the request back.

        Args:
            target: A SIP URI, a user or number in the account's domain, or a connected call.
            headers: Of the REFER. `Refer-Sub: false` asks for no report (RFC 4488), `Require: nosub`
                demands it (RFC 7614).

        Raises:
            CallTransferFailedError: The far end refused, or did not reach the target.
            CallTransferTimeoutError: It never told the outcome.
            CallEndedError: This call ended first.
            CallWrongStateError: One of the calls is not connected, or a transfer is under way.
            InvalidUriError, InvalidHeaderError, InvalidArgumentsError: An argument is wrong.
        """
        pairs = checked_headers(headers)
        consulted = self._checked_consulted(target)
        uri = target if isinstance(target, str) else ""
        value = self._refer_to(uri) if consulted is None else consulted._refer_here()
        self._refuse_unconnected("transfer()")
        if self._transfer is not None and not self._transfer.is_over:
            raise self._wrong_state("a transfer is under way")
        assert self._session is not None, "a connected call has its session"
        assert self._session.dialog is not None, "a connected call has its dialog"
        assert self._route is not None, "a connected call has its route"
        cseq, is_silent = self._session.dialog.local_cseq + 1, _asks_for_nothing(pairs)
        transfer = OutgoingTransfer(self, cseq, consulted, is_silent=is_silent)
        self._transfer = transfer
        own = (("Refer-To", value), ("Referred-By", self._route.identity.address))
        self._try_request("REFER", (*own, *pairs), b"", "", transfer)
        result = await transfer.receipt.wait()
        await self._face.wait_ended()
        return result

    def _checked_consulted(self, target: object) -> CallTransfer | None:
        if isinstance(target, str):
            return None
        if not isinstance(target, CallTransfer):
            raise InvalidArgumentsError(
                f"{type(target).__name__} is no target: give a SIP URI or a connected call"
            )
        if target is self:
            raise InvalidArgumentsError("a call is not transferred to itself: give another one")
        return target

    def _refer_to(self, target: str) -> str:
        return refer_to(self._host.target_of(self._face, target))

    def _refer_here(self) -> str:
        """Return the Refer-To that puts somebody in our place in this call (RFC 5589 §7)."""
        self._refuse_unconnected("being the target of a transfer")
        assert self._session is not None, "a connected call has its session"
        dialog = self._session.dialog
        assert dialog is not None, "a connected call has its dialog"
        uri = dialog.remote_target
        if dialog.route_set:
            # Behind proxies a Contact may be out of others' reach; the address of record is not.
            uri = self.remote_sip_uri.value or uri
        return refer_to(uri, DialogName.of_far_end(dialog))

    def _take_referral(self, method: str, tx: int, message: Message) -> None:
        """Take a REFER, or a NOTIFY about one of ours."""
        if method == "NOTIFY":
            self._take_notify(tx, message)
            return
        if self._is_referred or self._early_referral is not None:
            self._respond(tx, 491)
            return
        if self._phase in _NEARLY_CONNECTED:
            # Our 2xx was acknowledged before it was sent: only the ACK is late or lost.
            self._early_referral = tx, message
            return
        if self._phase is not Phase.CONNECTED:
            self._respond(tx, 491)
            return
        referral = read_referral(self, tx, message)
        if isinstance(referral, int):
            self._respond(tx, referral)
        elif self._emitter is None or not self._emitter.wants(TransferRequested):
            self._respond(tx, 603)
        else:
            self._referral = referral
            announce(self, referral, message)

    def _begin_media(self) -> None:
        if self._early_referral is not None:  # once the call is told to be connected
            self._after("early referral", 0.0, self._take_early_referral)

    def _take_early_referral(self) -> None:
        assert self._early_referral is not None, "it has waited for the ACK"
        early, self._early_referral = self._early_referral, None
        self._take_referral("REFER", *early)

    @property
    def _is_referred(self) -> bool:
        return self._referral is not None and not self._referral.is_done

    def _take_notify(self, tx: int, message: Message) -> None:
        event = read_event_untrusted(message)
        if event is None or event.package != PACKAGE:
            self._respond(tx, 489, headers=(_ALLOW_EVENTS,))
        elif self._transfer is None:
            self._respond(tx, 481)
        else:
            self._answer_in_dialog(tx, 200)
            self._transfer.take_notify(message)

    def _answer_in_dialog(self, tx: int, status: int, headers: Headers = ()) -> None:
        """Answer a request that refreshes the target, with our Contact (RFC 6665 §8.1.1)."""
        if self._session is None or self._session.is_over:
            return
        assert self._route is not None, "a call that was reached has its route"
        contact = (("Contact", self._route.identity.contact),) if status < 300 else ()
        self._respond(tx, status, headers=(*contact, *headers))

    def _try_request(
        self,
        method: str,
        headers: Headers,
        body: bytes,
        content_type: str,
        outcome: Outcome[SipResponse],
    ) -> bool:
        """Send a request in the dialog; False when there is none any more."""
        assert self._session is not None, "a call that is connected or was has its session"
        try:
            request = self._session.request(method, headers, body, content_type)
        except CallWrongStateError:
            return False
        (transaction,) = self._carry_out((request,))
        self._receipts[transaction] = outcome
        return True

    def _leave_transferred(self) -> None:
        """Hang up: the far end has somebody else now."""
        self._leave(EndReason.TRANSFERRED, Farewell(), Originator.REMOTE, Trigger.TRANSFERRED)

    def _take_place(self) -> None:
        """End the call that this one, answered just now, replaces (RFC 3891 §3)."""
        old, self._replaces = self._replaces, None
        if old is None:
            return
        if not old._state_now().is_terminal and old._state_now() is not CallState.DISCONNECTING:
            old._emit(Replaced, Originator.REMOTE, new_call=self._face)
            old._leave_transferred()

    def _end_remotely(
        self, why: EndReason, status: int, message: Message | None, trigger: Trigger
    ) -> None:
        if why is _REMOTE_ENDED and self._phase is _CONNECTED:
            if self._transfer is not None and not self._transfer.is_over:
                why = EndReason.TRANSFERRED if self._transfer.is_accepted else why
                self._transfer.take_left()
            elif self._consulting is not None and self._consulting.is_accepted:
                why = EndReason.TRANSFERRED
        super()._end_remotely(why, status, message, trigger)

    def _close_transfers(self, error: Exception) -> None:
        """Let go of what a transfer still waits for: the call has ended."""
        if self._transfer is not None and not self._transfer.is_over:
            self._transfer.close(error)
        if self._referral is not None:
            self._referral.close()
        if self._early_referral is not None:
            self._respond(self._early_referral[0], 481)
        self._early_referral = None
        self._transfer = self._referral = self._replaces = self._joins = None


def _asks_for_nothing(headers: Headers) -> bool:
    """Whether a REFER requires that nothing is told of it (`nosub`, RFC 7614 §4.3)."""
    values = (value for name, value in headers if name.lower() == "require")
    return any(tag.strip().lower() == "nosub" for value in values for tag in value.split(","))
