"""The face of a call for what the far end asks of its media: re-INVITE, UPDATE, an upgrade to video."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Final

from trivox.call._facts import ACCEPTED, CallFacts
from trivox.call.events import CallUpgrade, Event, Originator
from trivox.call.sdp import is_offering_video
from trivox.call.states import Phase
from trivox.call.upgrade import UpgradeRequest
from trivox.errors import EngineError, StreamError
from trivox.sip.bodies import SDP

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call.streams import LocalStream

_UPGRADE: Final = "upgrade"
UPGRADE_LIMIT: Final = 8.0
"""Seconds an offer of video waits for the program before it is refused."""


class CallFarChanges(CallFacts):
    """How a call answers the offers of the far end (RFC 3261 §14.2, RFC 3311)."""

    _upgrade: UpgradeRequest | None

    def _take_reinvite(self, tx: int, message: Message, body: bytes) -> None:
        """Answer a re-INVITE: a hold, a resume, a session refresh (RFC 3261 §14.2)."""
        if message.body and not body:
            self._respond(tx, 415, headers=(("Accept", ACCEPTED),))
            return
        self._remember_headers(message)
        self._note_party(message)
        is_wanted = self.settings.receive_video or self.settings.video_upgrade == "accept"
        if is_wanted and is_offering_video(body, ""):
            self._accept_upgrade(None)
        elif (
            self.settings.video_upgrade == "ask"
            and self._phase is Phase.CONNECTED
            and message.method == "INVITE"  # the answer to an UPDATE is to come at once
            and is_offering_video(body, self._leg.remote_sdp, self._leg.local_sdp)
            and self._has_listener(CallUpgrade)
        ):
            self._ask_for_upgrade(tx, message, body)
            return
        self._answer_reinvite(tx, body)

    def _has_listener(self, kind: type[Event]) -> bool:
        """Whether somebody listens to, subscribed to or waits for such events."""
        return self._emitter is not None and self._emitter.wants(kind)

    def _ask_for_upgrade(self, tx: int, message: Message, body: bytes) -> None:
        upgrade = UpgradeRequest(
            tx, partial(self._answer_upgrade, tx, body), isolation=self._watch_isolation()
        )
        self._upgrade = upgrade
        self._after(_UPGRADE, UPGRADE_LIMIT, upgrade.expire)
        self._emit(
            CallUpgrade,
            Originator.REMOTE,
            message,
            request=upgrade,
            deadline=self._now() + UPGRADE_LIMIT,
        )

    def _answer_upgrade(self, tx: int, body: bytes, stream: LocalStream | None, yes: bool) -> None:  # noqa: FBT001
        if yes:
            self._accept_upgrade(stream)
        elif self._leg.video is not None:
            self._leg.video.refuse()  # video that was taken before would be taken again
        self._answer_reinvite(tx, body)
        if self._leg.video is not None:
            self._leg.video.refuse()  # a yes is about what was offered: the next is asked about

    def _withdraw_upgrade(self) -> None:
        """Forget an offer of video that the far end took back, or that came to nothing."""
        upgrade, self._upgrade = self._upgrade, None
        if upgrade is not None:
            self._withdraw(_UPGRADE)
            upgrade.withdraw()

    def _answer_reinvite(self, tx: int, body: bytes) -> None:
        self._withdraw(_UPGRADE)
        self._upgrade = None
        try:
            answer = self._leg.answer(body, "") if body else self._leg.offer()
        except (StreamError, EngineError):
            self._leg.rollback()
            self._respond(tx, 488)
            return
        self._respond(tx, 200, body=answer, content_type=SDP)
        if body:
            self._note_negotiated()

    @abstractmethod
    def _accept_upgrade(self, stream: LocalStream | None) -> None: ...
