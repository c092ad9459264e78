"""The face of a call for INFO requests: packages, and the ICE candidates that travel in one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from trivox.call import _requests as requests
from trivox.call._describing import offered_kinds
from trivox.call._engine_events import take_digit
from trivox.call._facts import CallFacts
from trivox.call.events import InfoReceived, Originator
from trivox.call.states import CallDirection
from trivox.call.trickling import Trickling
from trivox.sip import info_packages as packages

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call.messages import Headers as ReceivedHeaders
    from trivox.sip.outputs import Headers

_ANY_ICE: Final = ("auto", "webrtc")
_ICE_OFFER: Final = b"a=ice-ufrag:"
_TRICKLES: Final = re.compile(rb"^a=ice-options:[^\r\n]*\btrickle\b", re.MULTILINE)
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_INCOMING: Final = CallDirection.INCOMING


class CallTrickle(CallFacts):
    """What a call does about INFO requests, and about candidates that its descriptions lack."""

    _first_headers: ReceivedHeaders | None

    @property
    def _packages(self) -> Headers:
        """What an INVITE of ours, or our answer to one, says of the INFO requests we take."""
        return packages.TAKES_TRICKLE if self._may_go_by_ice else ()

    @property
    def _may_go_by_ice(self) -> bool:
        kind = self.settings.media
        if self.direction is _INCOMING and self._remote_offer:
            is_offered = kind in _ANY_ICE and _ICE_OFFER in self._remote_offer
            return self._leg.is_ice if self._leg.is_open else is_offered
        return "webrtc" in offered_kinds(self._face) or (
            self.settings.delayed_offer and kind == "auto"
        )

    def _take_info(self, tx: int, message: Message) -> None:
        package = message.headers("Info-Package")
        if package and not self._leaves_to_program(tx, message, package):
            return
        self._respond(tx, 200)
        mime_type = message.header("Content-Type") or ""
        tone = requests.tone_of_info(mime_type, message.body)
        if tone is not None:
            take_digit(self._face, tone[0], tone[1], "info")
            return
        self._emit(
            InfoReceived,
            Originator.REMOTE,
            message,
            mime_type=mime_type,
            body=message.body.decode(errors="replace"),
            raw=message.body,
        )

    def _leaves_to_program(self, tx: int, message: Message, package: list[str]) -> bool:
        """Answer an INFO of a package, unless the program has said that it takes that one."""
        given = self.settings.extra_headers.items()
        asked = [value for name, value in given if name.lower() == packages.RECV_INFO.lower()]
        named = packages.packages_untrusted(package)
        if packages.TRICKLE in named and self._may_go_by_ice:
            self._take_fragment(tx, message)
            return False
        if named and named <= packages.packages_untrusted(asked):
            return True
        taken = ", ".join([*(value for _, value in self._packages), *asked])
        self._respond(tx, 469, headers=((packages.RECV_INFO, taken),))
        return False

    def _take_fragment(self, tx: int, message: Message) -> None:
        kind = (message.header("Content-Type") or "").partition(";")[0].strip().lower()
        if kind != packages.FRAGMENT:
            self._respond(tx, 415, headers=(("Accept", packages.FRAGMENT),))
            return
        trickling = self._trickling()
        is_fragment = trickling.take_untrusted(message.body)
        self._respond(tx, 200 if is_fragment else 400)

    def _trickling(self) -> Trickling:
        if self._leg.trickling is None:
            self._leg.trickling = Trickling(self._leg, self._send_fragment, self._may_trickle)
        return self._leg.trickling

    @property
    def _takes_fragments(self) -> bool:
        """Whether the far end has said in its INVITE, or its answer to ours, that it takes them."""
        is_theirs = self.direction is CallDirection.INCOMING
        headers = self._first_headers if is_theirs else self.remote_headers
        values = headers.all(packages.RECV_INFO) if headers is not None else ()
        return packages.TRICKLE in packages.packages_untrusted(values)

    def _answers_by_fragments(self) -> bool:
        """Whether our answer need not wait for candidates: the far end takes them later."""
        offer = self._remote_offer
        if not offer or self.direction is not CallDirection.INCOMING or self.settings.relay_only:
            return False
        return bool(_TRICKLES.search(offer)) and self._takes_fragments

    def _may_trickle(self) -> bool:
        """Whether an INFO of ours would find its dialog at the far end (RFC 8840 §4.3)."""
        session = self._session
        if session is None or session.dialog is None or session.is_over:
            return False
        return session.is_acknowledged or self._trickling().has_heard

    def _send_fragment(self, fragment: str) -> None:
        assert self._session is not None, "fragments are sent in a dialog"
        request = self._session.request(
            "INFO", packages.FRAGMENT_HEADERS, fragment.encode(), packages.FRAGMENT
        )
        (transaction,) = self._carry_out((request,))
        self._receipts[transaction] = self._trickling()

    def _settle_candidates(self) -> None:
        """Note that candidates found later, as after the loss of a relay, are welcome."""
        if self._host.ice_servers and self._takes_fragments and not self._trickling().has_begun:
            self._trickling().begin(is_gathering=False)
