"""ICE candidates that the descriptions of a call lack, and the INFO requests that carry them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from trivox.call._kinds import offered_kinds
from trivox.call.sdp import fragment_of, is_trickling
from trivox.call.states import CallDirection, Phase
from trivox.call.trickling import Trickling
from trivox.errors import EngineError, StreamError
from trivox.sip import info_packages as packages
from trivox.sip.outputs import SendResponse
from trivox.sip.party import ASSERTED

if TYPE_CHECKING:
    from trivox.call._core import CallCore
    from trivox.call.telling import Telling
    from trivox.sip.events import Progress, SessionOutput
    from trivox.sip.outputs import Headers

_ANY_ICE: Final = ("auto", "webrtc")
_ICE_OFFER: Final = b"a=ice-ufrag:"
_SERIAL: Final = "RSeq"
_FIRST_REPEAT: Final = 0.5
"""Seconds, T1 of RFC 3262 §3; each pause is twice the one before."""
_LAST_REPEAT: Final = 16.0
"""The last pause: with those before it, 64·T1 are over."""
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_INCOMING: Final = CallDirection.INCOMING
_OUTGOING: Final = CallDirection.OUTGOING


def own_packages(call: CallCore) -> Headers:
    """Return what an INVITE of ours, or our answer to one, says of the INFO requests we take."""
    return packages.TAKES_TRICKLE if may_go_by_ice(call) else ()


def invite_headers(call: CallCore) -> Headers:
    """Return what an INVITE of ours has beside who we are; it is asked when its offer is known."""
    trickling = call._leg.trickling
    is_bound = trickling is not None and trickling.is_first_offer
    requires = packages.REQUIRES_TRICKLE if is_bound else ()
    return (*own_packages(call), *requires, *call.settings.invite_headers)


def may_go_by_ice(call: CallCore) -> bool:
    """Whether the media of the call travel by ICE, or may yet."""
    kind = call.settings.media
    if call.direction is _INCOMING and call._remote_offer:
        is_offered = kind in _ANY_ICE and _ICE_OFFER in call._remote_offer
        return call._leg.is_ice if call._leg.is_open else is_offered
    return "webrtc" in offered_kinds(call) or (call.settings.delayed_offer and kind == "auto")


def trickling_of(call: CallCore) -> Trickling:
    """Return the fragments of the call, made when they are first needed."""
    if call._leg.trickling is None:
        call._leg.trickling = Trickling(
            call._leg,
            partial(_send_fragment, call),
            partial(_may_trickle, call),
            partial(_offer_rest_soon, call),
        )
    return call._leg.trickling


def _takes_fragments(call: CallCore) -> bool:
    """Whether the far end has said in its INVITE, or its answer to ours, that it takes them."""
    is_theirs = call.direction is CallDirection.INCOMING
    headers = call._first_headers if is_theirs else call.remote_headers
    values = headers.all(packages.RECV_INFO) if headers is not None else ()
    return packages.TRICKLE in packages.packages_untrusted(values)


def answers_by_fragments(call: CallCore) -> bool:
    """Whether our answer need not wait for candidates: the far end takes them later."""
    offer = call._remote_offer
    if not offer or call.direction is not CallDirection.INCOMING or call.settings.relay_only:
        return False
    return is_trickling(offer) and _takes_fragments(call)


def offers_by_fragments(call: CallCore) -> bool:
    """Whether our first offer need not wait: the far end is known to take the rest later."""
    settings = call.settings
    if call.direction is not _OUTGOING or settings.delayed_offer:
        return False
    if settings.trickle != "auto":
        return settings.trickle == "full"
    return call._host.trickle_memory.knows(_account_uri(call), target_uri(call))


def _account_uri(call: CallCore) -> str:
    return call.account.uri if call.account is not None else ""


def target_uri(call: CallCore) -> str:
    """Return whom a call of ours asks: its destination, or where a redirection has led it."""
    sent_on = call._redirections
    return (sent_on.target if sent_on is not None else "") or call.destination


def _may_trickle(call: CallCore, tag: str) -> bool:
    """Whether an INFO of ours would find its dialog at the far end (RFC 8840 §4.3)."""
    session = call._session
    if session is None or session.is_over:
        return False
    if tag:  # who has called knows each dialog by its first response
        return any(dialog.remote_tag == tag for dialog in session.dialogs)
    return session.is_acknowledged or trickling_of(call).has_heard


def _send_fragment(call: CallCore, fragment: str, telling: Telling) -> None:
    assert call._session is not None, "fragments are sent in a dialog"
    request = call._session.request(
        "INFO",
        packages.FRAGMENT_HEADERS,
        fragment.encode(),
        packages.FRAGMENT,
        to_tag=telling.tag,
    )
    (transaction,) = call._carry_out((request,))
    call._receipts[transaction] = telling


def note_branch(call: CallCore, fact: Progress) -> None:
    """Tell an early dialog of our call what it lacks of our candidates (RFC 8840 §4.3)."""
    if not fact.to_tag or not call._leg.is_ice or not call._leg.local_sdp:
        return
    if packages.TRICKLE in packages.packages_untrusted(fact.message.headers("Recv-Info")):
        trickling = trickling_of(call)
        # An answer by itself is repeated there until a request shows that it has come.
        is_awaited = bool(fact.body) or trickling.is_first_offer
        trickling.tell(
            fact.to_tag,
            known=fragment_of(call._leg.local_sdp),
            is_confirmed=fact.is_reliable or not is_awaited,
        )


def repeat_answer(call: CallCore, outputs: tuple[SessionOutput, ...]) -> None:
    """Repeat an answer that is not sent reliably until a request shows that it has come.

    So both ends know the dialog that fragments travel in (RFC 8840 §4.3.2), as early as RFC 3262
    would have them know it.
    """
    offer, session = call._remote_offer, call._session
    if not (call._leg.is_ice and is_trickling(offer) and _takes_fragments(call)):
        return
    assert session is not None, "it has answered"
    assert session.dialog is not None, "as callee it is born with its dialog"
    for response in outputs:
        if isinstance(response, SendResponse) and _SERIAL not in dict(response.headers):
            _repeat_later(call, response, session.dialog.remote_cseq, _FIRST_REPEAT)


def _repeat_later(call: CallCore, response: SendResponse, heard: int, pause: float) -> None:
    call._after("progress", pause, partial(_repeat, call, response, heard, pause))


def _repeat(call: CallCore, response: SendResponse, heard: int, pause: float) -> None:
    dialog = call._session.dialog if call._session is not None else None
    if call._phase is not Phase.IN_CREATED or dialog is None or dialog.remote_cseq != heard:
        return
    call._host.respond(response, token=call.token)
    if pause < _LAST_REPEAT:
        _repeat_later(call, response, heard, 2 * pause)


def settle_candidates(call: CallCore) -> None:
    """Note that candidates found later, as after the loss of a relay, are welcome."""
    session = call._session
    dialog = session.dialog if session is not None else None
    if dialog is None:
        return
    is_ours = call.direction is _OUTGOING
    tag = dialog.remote_tag if is_ours else ""
    if is_ours and call._leg.trickling is not None:
        call._leg.trickling.settle(tag)
    takes = _takes_fragments(call)
    is_certain = is_ours or (session is not None and session.is_acknowledged)
    if call._phase is not Phase.CONNECTED and is_certain:  # changes say it no more
        remember_capability(call, takes=takes)
    if takes and call._host.ice_servers:
        trickling = trickling_of(call)
        if not trickling.has_begun:
            trickling.begin()
        trickling.tell(tag, known=fragment_of(call._leg.local_sdp) if is_ours else "")
    _offer_rest_soon(call)


def remember_capability(call: CallCore, *, takes: bool) -> None:
    """Note for calls to come whether this far end takes fragments (RFC 8840 §5)."""
    memory, account = call._host.trickle_memory, _account_uri(call)
    uri = target_uri(call) if call.direction is _OUTGOING else _caller_proved(call)
    if takes:
        memory.learn(account, uri, call.remote_headers)
    else:
        memory.forget(account, uri)


def _caller_proved(call: CallCore) -> str:
    """Return the URI of a caller that is who it says, "" for others: anybody can write a From.

    It is vouched for by a peer we trust (RFC 3325), or calls from where its URI leads.
    """
    route, uri = call._route, call._party()[1] or ""
    if route is None:
        return ""
    is_asserted = route.identity.is_trusted and ASSERTED in call.remote_headers
    return uri if is_asserted or call._host.leads_back(uri, route) else ""


def _offer_rest_soon(call: CallCore) -> None:
    """Offer all candidates to a far end that was to take them later, and does not."""
    trickling, session = call._leg.trickling, call._session
    if trickling is None or not trickling.is_first_offer or trickling.is_agreed:
        return
    if session is None or session.dialog is None:
        return  # another branch may take them
    trickling.is_first_offer = False
    call._host.start_soon(_offer_rest, call, name=f"candidates of {call.id}")


async def _offer_rest(call: CallCore) -> None:
    """Offer them when all are known."""
    trickling = call._leg.trickling
    if trickling is None or trickling.gathered is None:
        return
    await trickling.gathered.wait()
    trickling.is_rest_due = True
    offer_rest(call)


def offer_rest(call: CallCore) -> None:
    """Offer what is due by a re-INVITE, unless a path was found without (RFC 8838 §4, §9).

    After a change that is out, an UPDATE that began in the early dialog: it is asked again then.
    """
    trickling, session = call._leg.trickling, call._session
    if trickling is None or not trickling.is_rest_due or session is None or session.is_modifying:
        return
    trickling.is_rest_due = False
    if call._phase is not Phase.ESTABLISHING:
        return
    with suppress(StreamError, EngineError):  # without a way to offer it, ICE ends the call
        call._carry_out(session.modify(call._leg.offer(restarts_ice=True)))
