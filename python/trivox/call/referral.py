"""Transfers the far end asks for: nothing is done until the program says yes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Protocol, final

from trivox.call._requests import try_in_dialog
from trivox.call.events import (
    Connected,
    Disconnected,
    EarlyMediaStarted,
    Event,
    Failed,
    Originator,
    StartRinging,
    TransferRequested,
)
from trivox.call.header_rules import checked_headers, checked_text
from trivox.call.settings import CallSettings
from trivox.errors import (
    CallWrongStateError,
    InvalidArgumentsError,
    InvalidHeaderError,
    ParseError,
    TrivoxError,
)
from trivox.errors.checks import checked_kind
from trivox.sip.refer import EXPLICITSUB, is_gruu_untrusted, read_refer_untrusted
from trivox.sip.transfer import ReferAnswer, Referral
from trivox.sip.transfer_table import ReferralState

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._core import CallCore
    from trivox.call.call import Call
    from trivox.call.messages import SipResponse
    from trivox.net.transport import Address
    from trivox.sip.outputs import Headers
    from trivox.sip.refer import ReferTo
    from trivox.sip.transfer import ReferNotify, ReferralOutput

UNDECIDED: Final = 8.0
"""Seconds a program has for its yes; then 603. Well inside the 32 s its REFER lives (§17.1.2)."""
_REFUSALS: Final = range(300, 700)


class ReferralWay(Protocol):
    """How a REFER is answered and reported on."""

    @property
    def is_beside(self) -> bool:
        """It came out of the dialog and makes one of its own, which outlives the call.

        There one NOTIFY after the other goes out by itself.
        """
        ...

    @property
    def named_by(self) -> tuple[int, Address] | None:
        """Flow and source of what named the target; None: as the call's own messages."""
        ...

    @property
    def contact(self) -> str:
        """Our Contact, as the sender of the REFER sees it."""
        ...

    @property
    def is_direct(self) -> bool:
        """Whether no proxy is known to lie between us and the sender of the REFER."""
        ...

    def accept(self, headers: Headers, *, is_told: bool) -> None:
        """Answer 200; the first NOTIFY follows if anything is to be told."""
        ...

    def refuse(self, status: int, headers: Headers = ()) -> None:
        """Answer with a refusal."""
        ...

    def notify(self, notify: ReferNotify, request: ReferralRequest) -> bool:
        """Send a NOTIFY, whose fate `request` is told; False when nobody is there any more."""
        ...


@final
class WayInside:
    """The dialog of the call itself, for a REFER that came there."""

    is_beside = False
    named_by = None

    def __init__(self, call: CallCore, tx: int) -> None:
        self._call = call
        self._tx = tx

    @property
    def contact(self) -> str:
        """Our Contact in the call."""
        assert self._call._route is not None, "a call that was reached has its route"
        return self._call._route.identity.contact

    @property
    def is_direct(self) -> bool:
        """Whether the dialog has no route set."""
        session = self._call._session
        return session is None or session.dialog is None or not session.dialog.route_set

    def accept(self, headers: Headers, *, is_told: bool) -> None:
        """Answer with our Contact, as it refreshes the target."""
        answer_in_dialog(self._call, self._tx, 200, headers)

    def refuse(self, status: int, headers: Headers = ()) -> None:
        """Answer with a refusal."""
        self._call._respond(self._tx, status, headers=headers)

    def notify(self, notify: ReferNotify, request: ReferralRequest) -> bool:
        """Send a NOTIFY in the dialog."""
        return try_in_dialog(
            self._call, "NOTIFY", notify.headers, notify.body, notify.content_type, request
        )


@final
class ReferralRequest:
    """One REFER of the far end's: the decision about it, and the reports on the new call.

    Settles the NOTIFY requests it sends.
    """

    def __init__(self, call: CallCore, asked: ReferTo, way: ReferralWay, cseq: int) -> None:
        self._call = call
        self._asked = asked
        self._way = way
        self._machine = Referral(asked, cseq)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be said."""
        return self._machine.is_done

    def keep_reports(self) -> tuple[int, Headers] | None:
        """Keep what is told where its sender has to subscribe; returns the refusal if none can be.

        From behind proxies a Contact may be out of reach, unless it is a GRUU. Who is told so (420)
        may ask without the extension (RFC 7614 §4.2, §4.3).
        """
        if not self._asked.is_explicit:
            return None
        way, host = self._way, self._call._host
        if not (way.is_direct or is_gruu_untrusted(way.contact.strip("<>"))):
            return 420, (("Unsupported", EXPLICITSUB),)
        kept = host.keep_reports(way)
        if kept is None:
            return 503, host.retry_after
        self._way = kept
        return None

    def accept(self, settings: CallSettings | None = None) -> Call:
        """Say yes: see `TransferRequested.accept`."""
        self._refuse_decided()
        call, asked = self._call, self._asked
        base = (
            call.settings if settings is None else checked_kind(settings, CallSettings, "settings")
        )
        headers, named_by = _with_headers(base, asked), self._way.named_by
        new_call = call._host.refer(call._face, asked.uri, headers, named_by)
        new_call.add_event_listener(Event, self._follow)
        self._carry_out(self._machine.accept())
        call._host.start_soon(_start, new_call, name=f"referred call {new_call.id}")
        return new_call

    def reject(self, code: int = 603) -> None:
        """Say no: see `TransferRequested.reject`."""
        if code not in _REFUSALS:
            raise InvalidArgumentsError(f"{code!r} is no refusal: use a status of 300 to 699")
        self._refuse_decided()
        self._carry_out(self._machine.reject(code))

    def expire(self) -> None:
        """Refuse what nobody decided."""
        self._carry_out(self._machine.reject(603))

    def close(self) -> None:
        """Take that the call is over: what came within it is reported on no more."""
        if not self._way.is_beside:
            self._carry_out(self._machine.handle_lost())
        elif self._machine.state is ReferralState.OFFERED:
            self._carry_out(self._machine.reject(481))

    def resolve(self, response: SipResponse, /) -> None:
        """Take the final response to a NOTIFY."""
        self._carry_out(self._machine.handle_notified(response.status))

    def fail(self, error: Exception, /) -> None:
        """Take that a NOTIFY has none."""
        self._carry_out(self._machine.handle_notified(408))

    def _refuse_decided(self) -> None:
        self._call._refuse_ended()
        if self._machine.state is not ReferralState.OFFERED:
            text = "the transfer was accepted or refused before"
            raise CallWrongStateError(text, call_id=self._call.id)

    def _follow(self, event: Event) -> None:
        """Report what happens to the new call."""
        match event:
            case StartRinging():
                told = (180, "Ringing")
            case EarlyMediaStarted():
                told = (183, "Session Progress")
            case Connected():
                told = (200, "OK")
            case Failed(code=code, reason=reason):
                told = (code or 503, reason or "Service Unavailable")
            case Disconnected():
                told = (487, "Request Terminated")
            case _:
                return
        status, reason = told
        phrase = "".join(char for char in reason if char.isprintable())
        self._carry_out(self._machine.report(status, phrase))

    def _carry_out(self, outputs: tuple[ReferralOutput, ...]) -> None:
        for output in outputs:
            if isinstance(output, ReferAnswer):
                self._call._withdraw("referral")
                if output.status >= 300:
                    self._way.refuse(output.status)
                else:
                    self._way.accept(output.headers, is_told=self._asked.wants_notifications)
            elif not self._way.notify(output, self):
                self._machine.handle_lost()
            elif self._way.is_beside:
                self._carry_out(self._machine.handle_notified(200))


def read_referral(call: CallCore, way: ReferralWay, message: Message) -> ReferralRequest | int:
    """Read a REFER that came in a call; returns the status to refuse it with, if it is refused."""
    try:
        asked = read_refer_untrusted(message)
        checked_text(asked.uri, "Refer-To")
        _with_headers(CallSettings(), asked)
    except (ParseError, InvalidHeaderError):
        return 400
    if asked.method.upper() != "INVITE":
        return 403
    return ReferralRequest(call, asked, way, message.key()[7])


def announce(call: CallCore, referral: ReferralRequest, message: Message) -> None:
    """Ask the program, which has 8 s."""
    asked = referral._asked
    call._after("referral", UNDECIDED, referral.expire)
    call._emit(
        TransferRequested,
        Originator.REMOTE,
        message,
        target=asked.uri,
        replaces=str(asked.replaces) if asked.replaces is not None else None,
        referred_by=asked.referred_by,
        request=referral,
    )


def answer_in_dialog(call: CallCore, tx: int, status: int, headers: Headers = ()) -> None:
    """Answer a request that refreshes the target, with our Contact (RFC 6665 §8.1.1)."""
    if call._session is None or call._session.is_over:
        return
    assert call._route is not None, "a call that was reached has its route"
    contact = (("Contact", call._route.identity.contact),) if status < 300 else ()
    call._respond(tx, status, headers=(*contact, *headers))


def _with_headers(settings: CallSettings, asked: ReferTo) -> CallSettings:
    """Return the settings with what the INVITE of a referred call carries (RFC 3892, 3891)."""
    headers = dict(settings.extra_headers)
    if asked.referred_by is not None:
        headers["Referred-By"] = f"<{asked.referred_by}>"
    if asked.replaces is not None:
        headers |= {"Replaces": str(asked.replaces), "Require": "replaces"}
    checked_headers(headers)
    return dataclasses.replace(settings, extra_headers=headers)


async def _start(call: Call) -> None:
    """Start a referred call; how it fails is told by its events."""
    try:
        await call.start()
    except (TrivoxError, OSError):
        return
