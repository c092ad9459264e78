"""The face of a call for INFO requests: packages, and the ICE candidates that travel in one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from trivox.call import _requests as requests
from trivox.call._describing import offered_kinds
from trivox.call._engine_events import take_digit
from trivox.call._facts import CallFacts
from trivox.call.events import InfoReceived, Originator
from trivox.call.sdp import fragment_of, is_trickling
from trivox.call.states import CallDirection, Phase
from trivox.call.trickling import Trickling
from trivox.errors import EngineError, StreamError
from trivox.sip import info_packages as packages

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call.messages import Headers as ReceivedHeaders
    from trivox.call.telling import Telling
    from trivox.sip.events import Progress
    from trivox.sip.outputs import Headers

_ANY_ICE: Final = ("auto", "webrtc")
_ICE_OFFER: Final = b"a=ice-ufrag:"
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_INCOMING: Final = CallDirection.INCOMING
_OUTGOING: Final = CallDirection.OUTGOING


class CallTrickle(CallFacts):
    """What a call does about INFO requests, and about candidates that its descriptions lack."""

    _first_headers: ReceivedHeaders | None

    @property
    def _packages(self) -> Headers:
        """What an INVITE of ours, or our answer to one, says of the INFO requests we take."""
        return packages.TAKES_TRICKLE if self._may_go_by_ice else ()

    @property
    def _invite_headers(self) -> Headers:
        """What an INVITE of ours has beside who we are; it is asked when its offer is known."""
        trickling = self._leg.trickling
        is_bound = trickling is not None and trickling.is_first_offer
        requires = packages.REQUIRES_TRICKLE if is_bound else ()
        return (*self._packages, *requires, *self.settings.invite_headers)

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
            self._leg.trickling = Trickling(
                self._leg, self._send_fragment, self._may_trickle, self._offer_rest_soon
            )
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
        return is_trickling(offer) and self._takes_fragments

    def _offers_by_fragments(self) -> bool:
        """Whether our first offer need not wait: the far end is known to take the rest later."""
        settings = self.settings
        if self.direction is not _OUTGOING or settings.delayed_offer:
            return False
        if settings.trickle != "auto":
            return settings.trickle == "full"
        return self._host.trickle_memory.knows(self._account_uri, self._target_uri)

    @property
    def _account_uri(self) -> str:
        return self.account.uri if self.account is not None else ""

    @property
    def _target_uri(self) -> str:
        """Whom a call of ours asks: its destination, or where a redirection has led it."""
        sent_on = self._redirections
        return (sent_on.target if sent_on is not None else "") or self.destination

    def _may_trickle(self, tag: str) -> bool:
        """Whether an INFO of ours would find its dialog at the far end (RFC 8840 §4.3)."""
        session = self._session
        if session is None or session.is_over:
            return False
        if tag:  # who has called knows each dialog by its first response
            return any(dialog.remote_tag == tag for dialog in session.dialogs)
        return session.is_acknowledged or self._trickling().has_heard

    def _send_fragment(self, fragment: str, telling: Telling) -> None:
        assert self._session is not None, "fragments are sent in a dialog"
        request = self._session.request(
            "INFO",
            packages.FRAGMENT_HEADERS,
            fragment.encode(),
            packages.FRAGMENT,
            to_tag=telling.tag,
        )
        (transaction,) = self._carry_out((request,))
        self._receipts[transaction] = telling

    def _note_branch(self, fact: Progress) -> None:
        """Tell an early dialog of our call what it lacks of our candidates (RFC 8840 §4.3)."""
        if not fact.to_tag or not self._leg.is_ice or not self._leg.local_sdp:
            return
        if packages.TRICKLE in packages.packages_untrusted(fact.message.headers("Recv-Info")):
            trickling = self._trickling()
            # An answer by itself is repeated there until a request shows that it has come.
            is_awaited = bool(fact.body) or trickling.is_first_offer
            trickling.tell(
                fact.to_tag,
                known=fragment_of(self._leg.local_sdp),
                is_confirmed=fact.is_reliable or not is_awaited,
            )

    def _settle_candidates(self) -> None:
        """Note that candidates found later, as after the loss of a relay, are welcome."""
        session = self._session
        dialog = session.dialog if session is not None else None
        if dialog is None:
            return
        is_ours = self.direction is _OUTGOING
        tag = dialog.remote_tag if is_ours else ""
        if is_ours and self._leg.trickling is not None:
            self._leg.trickling.settle(tag)
        takes = self._takes_fragments
        self._remember_capability(takes=takes)
        if takes and self._host.ice_servers:
            trickling = self._trickling()
            if not trickling.has_begun:
                trickling.begin()
            trickling.tell(tag, known=fragment_of(self._leg.local_sdp) if is_ours else "")
        self._offer_rest_soon()

    def _remember_capability(self, *, takes: bool) -> None:
        """Note for calls to come whether this far end takes fragments (RFC 8840 §5)."""
        memory, account = self._host.trickle_memory, self._account_uri
        is_ours = self.direction is _OUTGOING
        uri = self._target_uri if is_ours else self._party()[1] or ""
        if takes:
            memory.learn(account, uri, self.remote_headers)
        else:
            memory.forget(account, uri)

    def _offer_rest_soon(self) -> None:
        """Offer all candidates to a far end that was to take them later, and does not."""
        trickling, session = self._leg.trickling, self._session
        if trickling is None or not trickling.is_first_offer or trickling.is_agreed:
            return
        if session is None or session.dialog is None:
            return  # another branch may take them
        trickling.is_first_offer = False
        self._host.start_soon(self._offer_rest, name=f"candidates of {self.id}")

    async def _offer_rest(self) -> None:
        """Offer them by a re-INVITE, unless a path was found without (RFC 8838 §4, §9)."""
        trickling = self._leg.trickling
        if trickling is None or trickling.gathered is None:
            return
        await trickling.gathered.wait()
        session = self._session
        if session is None or self._phase is not Phase.ESTABLISHING or session.is_modifying:
            return
        with suppress(StreamError, EngineError):  # without a way to offer it, ICE ends the call
            self._carry_out(session.modify(self._leg.offer(restarts_ice=True)))
