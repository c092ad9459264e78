"""What the far end asks of a call's media: re-INVITE, UPDATE, an upgrade to video."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from trivox.call._data import prepare_data
from trivox.call._negotiated import note_negotiated
from trivox.call._party import note_party, remember_headers
from trivox.call._wishes import add_now
from trivox.call.events import CallUpgrade, Originator
from trivox.call.sdp import is_offering_video
from trivox.call.states import Phase
from trivox.call.upgrade import UpgradeRequest
from trivox.errors import EngineError, StreamError
from trivox.sip.bodies import MULTIPART, SDP

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._core import CallCore
    from trivox.call.streams import LocalStream

ACCEPTED: Final = f"{SDP}, {MULTIPART}"
"""The bodies that a call reads."""
_UPGRADE: Final = "upgrade"
UPGRADE_LIMIT: Final = 8.0
"""Seconds an offer of video waits for the program before it is refused."""


def take_reinvite(call: CallCore, tx: int, message: Message, body: bytes) -> None:
    """Answer a re-INVITE: a hold, a resume, a session refresh (RFC 3261 §14.2)."""
    if message.body and not body:
        call._respond(tx, 415, headers=(("Accept", ACCEPTED),))
        return
    remember_headers(call, message)
    note_party(call, message)
    is_wanted = call.settings.receive_video or call.settings.video_upgrade == "accept"
    if is_wanted and is_offering_video(body, ""):
        _accept(call, None)
    elif (
        call.settings.video_upgrade == "ask"
        and call._phase is Phase.CONNECTED
        and message.method == "INVITE"  # the answer to an UPDATE is to come at once
        and is_offering_video(body, call._leg.remote_sdp, call._leg.local_sdp)
        and call._has_listener(CallUpgrade)
    ):
        _ask(call, tx, message, body)
        return
    _answer(call, tx, body)


def _ask(call: CallCore, tx: int, message: Message, body: bytes) -> None:
    upgrade = UpgradeRequest(
        tx, partial(_answer_upgrade, call, tx, body), isolation=call._watch_isolation()
    )
    call._upgrade = upgrade
    call._after(_UPGRADE, UPGRADE_LIMIT, upgrade.expire)
    call._emit(
        CallUpgrade,
        Originator.REMOTE,
        message,
        request=upgrade,
        deadline=call._now() + UPGRADE_LIMIT,
    )


def _answer_upgrade(
    call: CallCore,
    tx: int,
    body: bytes,
    stream: LocalStream | None,
    yes: bool,  # noqa: FBT001 (what an `UpgradeRequest` says)
) -> None:
    if yes:
        _accept(call, stream)
    elif call._leg.video is not None:
        call._leg.video.refuse()  # video that was taken before would be taken again
    _answer(call, tx, body)
    if call._leg.video is not None:
        call._leg.video.refuse()  # a yes is about what was offered: the next is asked about


def withdraw_upgrade(call: CallCore) -> None:
    """Forget an offer of video that the far end took back, or that came to nothing."""
    upgrade, call._upgrade = call._upgrade, None
    if upgrade is not None:
        call._withdraw(_UPGRADE)
        upgrade.withdraw()


def _answer(call: CallCore, tx: int, body: bytes) -> None:
    prepare_data(call)
    call._withdraw(_UPGRADE)
    call._upgrade = None
    try:
        answer = call._leg.answer(body, "") if body else call._leg.offer()
    except (StreamError, EngineError):
        call._leg.rollback()
        call._respond(tx, 488)
        return
    call._respond(tx, 200, body=answer, content_type=SDP)
    if body:
        note_negotiated(call)


def _accept(call: CallCore, stream: LocalStream | None) -> None:
    call._video().prepare()
    if stream is not None:
        add_now(call, (stream,))
