"""Transfers of a call: by REFER both ways, and by another call in its place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

from trivox.call._requests import try_in_dialog
from trivox.call.events import EndReason, Originator, Replaced, TransferRequested
from trivox.call.header_rules import HeaderArguments, checked_headers
from trivox.call.referral import WayInside, announce, answer_in_dialog, read_referral
from trivox.call.states import CallState, Phase
from trivox.call.transfer import OutgoingTransfer, TransferResult, leave_transferred
from trivox.errors import InvalidArgumentsError
from trivox.sip.event_headers import read_event_untrusted
from trivox.sip.refer import EXPLICITSUB, NOSUB, is_gruu_untrusted, refer_to
from trivox.sip.replaces import TARGET_DIALOG, DialogName
from trivox.sip.transfer import PACKAGE

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._core import CallCore
    from trivox.call.call import Call
    from trivox.call.referral import ReferralRequest, ReferralWay
    from trivox.sip.invite_session import InviteSession
    from trivox.sip.outputs import Headers

_ALLOW_EVENTS = ("Allow-Events", PACKAGE)
_NEARLY_CONNECTED = frozenset({Phase.IN_ANSWERED, Phase.ESTABLISHING})
_REFERRED: Final = "early referral"


@final
class Transfers:
    """The transfers of one call, those of the program and those of its far end."""

    __slots__ = ("_call", "_early", "_outgoing", "_referral", "consulting")

    def __init__(self, call: CallCore) -> None:
        self._call = call
        self._outgoing: OutgoingTransfer | None = None
        self._referral: ReferralRequest | None = None
        self._early: tuple[ReferralWay, Message] | None = None
        """A REFER that has overtaken the ACK, or the media: it waits for them."""
        self.consulting: OutgoingTransfer | None = None
        """The transfer that hands this call's far end to another."""

    async def transfer(self, target: str | Call, headers: HeaderArguments) -> TransferResult:
        """Hand the far end over, and wait for the end: see `Call.transfer`."""
        call = self._call
        pairs = checked_headers(headers)
        tag = _checked_tag(pairs)
        consulted = self._checked_consulted(target)
        value = self._refer_to(target) if isinstance(target, str) else _refer_here(target)
        call._refuse_unconnected("transfer()")
        if self._outgoing is not None and not self._outgoing.is_over:
            raise call._wrong_state("a transfer is under way")
        assert call._route is not None, "a connected call has its route"
        transfer = OutgoingTransfer(call, consulted)
        self._outgoing = transfer
        own = (("Refer-To", value), ("Referred-By", call._route.identity.address))
        self._refer(transfer, (*own, *pairs), tag)
        result = await transfer.receipt.wait()
        await call._face.wait_ended()
        return result

    def _refer(self, transfer: OutgoingTransfer, headers: Headers, tag: str) -> None:
        """Send the REFER; who does not know `explicitsub` is asked as ever (RFC 7614 §4.2)."""
        call = self._call
        session = call._session
        assert session is not None, "a connected call has its session"
        assert session.dialog is not None, "a connected call has its dialog"
        is_beside = not tag and _takes_beside(session)
        cseq = 1 if is_beside else session.dialog.local_cseq + 1
        again = None
        if tag == EXPLICITSUB:
            again = partial(self._refer, transfer, _without_tag(headers, tag), "")
        transfer.begin(cseq, tag, again)
        if is_beside:
            call._host.refer_beside(call._face, transfer, headers)
        else:
            try_in_dialog(call, "REFER", headers, b"", "", transfer)

    def _checked_consulted(self, target: object) -> CallCore | None:
        call = self._call
        if isinstance(target, str):
            return None
        if not isinstance(target, type(call)):
            raise InvalidArgumentsError(
                f"{type(target).__name__} is no target: give a SIP URI or a connected call"
            )
        if target is call:
            raise InvalidArgumentsError("a call is not transferred to itself: give another one")
        return target

    def _refer_to(self, target: str) -> str:
        return refer_to(self._call._host.target_of(self._call._face, target))

    def take_request(self, method: str, tx: int, message: Message) -> None:
        """Take a REFER, or a NOTIFY about one of ours."""
        if method == "NOTIFY":
            self._take_notify(tx, message)
        else:
            self.consider(WayInside(self._call, tx), message)

    def consider(self, way: ReferralWay, message: Message) -> None:
        """Take a REFER that came within the dialog, or beside it and named it (RFC 4538)."""
        call = self._call
        if self._is_referred or self._early is not None:
            way.refuse(491)
            return
        if call._phase in _NEARLY_CONNECTED:
            # Our 2xx was acknowledged before it was sent: only the ACK is late or lost.
            self._early = way, message
            return
        if call._phase is not Phase.CONNECTED:
            way.refuse(491)
            return
        referral = read_referral(call, way, message)
        if isinstance(referral, int):
            way.refuse(referral)
        elif call._emitter is None or not call._emitter.wants(TransferRequested):
            way.refuse(603)
        elif (refusal := referral.keep_reports()) is not None:
            way.refuse(*refusal)
        else:
            self._referral = referral
            announce(call, referral, message)

    def take_overtaken(self) -> None:
        """Take the REFER that was here before the call was connected, once that is told."""
        if self._early is not None:
            self._call._after(_REFERRED, 0.0, self._take_early)

    def _take_early(self) -> None:
        assert self._early is not None, "it has waited for the ACK"
        early, self._early = self._early, None
        self.consider(*early)

    @property
    def _is_referred(self) -> bool:
        return self._referral is not None and not self._referral.is_done

    def _take_notify(self, tx: int, message: Message) -> None:
        call = self._call
        event = read_event_untrusted(message)
        if event is None or event.package != PACKAGE:
            call._respond(tx, 489, headers=(_ALLOW_EVENTS,))
        elif self._outgoing is None:
            call._respond(tx, 481)
        else:
            answer_in_dialog(call, tx, 200)
            self._outgoing.take_notify(message)

    def take_left(self) -> EndReason:
        """Take that the far end of the connected call hangs up; return why it does."""
        outgoing = self._outgoing
        why = EndReason.REMOTE_ENDED
        if outgoing is not None and not outgoing.is_over:
            why = EndReason.TRANSFERRED if outgoing.is_accepted else why
            outgoing.take_left()
        elif self.consulting is not None and self.consulting.is_accepted:
            why = EndReason.TRANSFERRED
        return why

    def close(self, error: Exception) -> None:
        """Let go of what a transfer still waits for: the call has ended."""
        if self._outgoing is not None and not self._outgoing.is_over:
            self._outgoing.close(error)
        if self._referral is not None:
            self._referral.close()
        if self._early is not None:
            self._early[0].refuse(481)


def _takes_beside(session: InviteSession) -> bool:
    """Whether a REFER with a subscription goes out of the dialog (RFC 7647 §4).

    To a GRUU it must. A far end that has one and does not know Target-Dialog could not tell which
    call is meant; it is older than that rule and is asked within.
    """
    is_gruu = session.dialog is not None and is_gruu_untrusted(session.dialog.remote_target)
    return is_gruu and session.supports(TARGET_DIALOG)


def take_place(call: CallCore) -> None:
    """End the call that this one, answered just now, replaces (RFC 3891 §3)."""
    old, call._replaces = call._replaces, None
    if old is None:
        return
    if not old._state_now().is_terminal and old._state_now() is not CallState.DISCONNECTING:
        old._emit(Replaced, Originator.REMOTE, new_call=call._face)
        leave_transferred(old)


def _refer_here(call: CallCore) -> str:
    """Return the Refer-To that puts somebody in our place in a call (RFC 5589 §7)."""
    call._refuse_unconnected("being the target of a transfer")
    assert call._session is not None, "a connected call has its session"
    dialog = call._session.dialog
    assert dialog is not None, "a connected call has its dialog"
    uri = dialog.remote_target
    if dialog.route_set:
        # Behind proxies a Contact may be out of others' reach; the address of record is not.
        uri = call.remote_sip_uri.value or uri
    return refer_to(uri, DialogName.of_far_end(dialog))


def _checked_tag(headers: Headers) -> str:
    """Return which option tag of RFC 7614 the headers require; empty for neither.

    Raises:
        InvalidArgumentsError: Both.
    """
    required = {tag.lower() for name, value in headers for tag in _required(name, value)}
    found = required & {NOSUB, EXPLICITSUB}
    if len(found) > 1:
        raise InvalidArgumentsError(f"{NOSUB} and {EXPLICITSUB} exclude each other: require one")
    return found.pop() if found else ""


def _without_tag(headers: Headers, tag: str) -> Headers:
    """Return the headers without one option tag in Require."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        others = [one for one in _required(name, value) if one.lower() != tag]
        if name.lower() != "require":
            kept.append((name, value))
        elif others:
            kept.append((name, ", ".join(others)))
    return tuple(kept)


def _required(name: str, value: str) -> list[str]:
    return [tag.strip() for tag in value.split(",")] if name.lower() == "require" else []
