"""Which calls of a user last, as far as a proxy that stays in their path can know it."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr
from trivox.errors import ParseError
from trivox.sip.session_timer import interval_untrusted

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.quota import Quota
    from trivox.switchboard.flow_token import Hop

    Tags = tuple[str, str, str]

MOST_DIALOGS: Final = 10_000
"""Dialogs of calls that are remembered; the one begun longest ago makes room."""
MOST_FORKS: Final = 16
"""Dialogs of one call that are remembered; with more of them it counts as long as it may."""
_SPARE: Final = 64
"""Moments of calls that are over, beside as many as there are calls, before they are cleared away."""
_FURTHER: Final = ("", "", "")
"""In place of dialogs beyond, or named as another's: no BYE names it."""
# RFC 3261 §15.1.1: after these, and after no answer, whoever sent the BYE holds the call to be over.
_OVER: Final = frozenset({408, 481})


@dataclass(slots=True, eq=False)
class _Call:
    """An INVITE and the dialogs that its 2xx made: several where it was forked."""

    server: int
    is_ringing: bool
    until: float = 0.0
    dialogs: set[Tags] = field(default_factory=set)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Dialog:
    """One dialog of a call, and by which hops its two sides are reached."""

    call: _Call
    tags: Tags
    """Call-ID, the caller's tag and the callee's."""
    caller: Hop
    callee: Hop
    contacts: tuple[str, str]
    """By what URI the caller and the callee are asked; "" for one that cannot be read."""


@final
class LiveCalls:
    """Keep a user's place in a quota from its INVITE to the end of its call. Sans-I/O.

    A call ends with a BYE that reached its other side; where none is seen, with the session timer
    that was agreed (RFC 4028), or `longest` after the last 2xx to an INVITE or UPDATE in it. After
    each input sleep until `next_deadline()` and call `handle_timeout`.

    Args:
        quota: What counts.
        longest: Seconds; 0: only calls that ring count.
        capacity: Dialogs remembered.
    """

    def __init__(self, quota: Quota, longest: float, *, capacity: int = MOST_DIALOGS) -> None:
        self._quota = quota
        self._longest = longest
        self._capacity = capacity
        self._calls: dict[int, _Call] = {}
        self._dialogs: dict[Tags, Dialog] = {}
        self._ends: list[tuple[float, int]] = []

    def __len__(self) -> int:
        """Return the number of calls that count, ringing ones included."""
        return len(self._calls)

    def begin(self, server: int, user: str) -> None:
        """Take that an INVITE of a user was forwarded; nothing for nobody's."""
        if user:
            self._calls[server] = _Call(server, is_ringing=True)
            self._quota.enter(server, user)

    def answered(
        self,
        server: int,
        user: str,
        response: Message,
        hops: tuple[Hop, Hop],
        now: float,
        *,
        contact: str | None = None,
    ) -> None:
        """Take the first copy of a 2xx to an INVITE, also one that comes after the call was refused.

        Args:
            server: The INVITE, as in `begin`.
            user: Who sent it.
            response: The 2xx.
            hops: By which the caller and this callee are reached.
            now: Seconds.
            contact: The caller's, of the INVITE.
        """
        call_id, caller_tag, callee_tag = _tags(response)
        if not user or not self._longest or not callee_tag:
            return
        call = self._calls.get(server)
        if call is None:
            self.begin(server, user)
            call = self._calls[server]
            call.is_ringing = False
        tags = (call_id, caller_tag, callee_tag)
        if len(call.dialogs) < MOST_FORKS and tags not in self._dialogs:
            contacts = (_uri_untrusted(contact), _uri_untrusted(response.header("Contact")))
            self._dialogs[tags] = Dialog(call, tags, *hops, contacts)
        else:  # who takes a call again and again, or under another's name, drives out no other's
            tags = _FURTHER
        call.dialogs.add(tags)
        self._prolong(call, response, now)
        if len(self._dialogs) > self._capacity:
            self._end(next(iter(self._dialogs.values())))

    def retire(self, server: int) -> None:
        """Take that no branch of an INVITE rings any more."""
        call = self._calls.get(server)
        if call is not None:
            call.is_ringing = False
            self._leave_if_over(call)

    def find(self, message: Message, hop: Hop) -> Dialog | None:
        """Return the dialog of a request that goes to `hop`; None for one that goes elsewhere.

        Who calls could have its own second phone answer a BYE, and go on talking.
        """
        call_id, own, other = _tags(message)
        found = self._dialogs.get((call_id, own, other))
        if found is not None:
            return found if found.callee == hop else None
        found = self._dialogs.get((call_id, other, own))
        return found if found is not None and found.caller == hop else None

    def take_answer(self, dialog: Dialog, response: Message, now: float) -> None:
        """Take the final response to a request in a dialog."""
        is_success = 200 <= response.status < 300
        if response.method == "BYE" and (is_success or response.status in _OVER):
            self._end(dialog)
        elif response.method in ("INVITE", "UPDATE") and is_success:
            self._prolong(dialog.call, response, now)

    def take_silence(self, dialog: Dialog) -> None:
        """Take that nobody answers the BYE in a dialog."""
        self._end(dialog)

    def take_cut_off(self, bye: Message, hop: Hop) -> None:
        """Take that a BYE finds the connection of its other side gone, and no other way there.

        Who names another target than the other side's has not tried: that may be reached yet.
        """
        dialog = self.find(bye, hop)
        if dialog is None:
            return
        caller, callee = dialog.contacts
        if bye.uri == (callee if bye.from_tag == dialog.tags[1] else caller):
            self._end(dialog)

    def handle_timeout(self, now: float) -> None:
        """Take that `next_deadline` has come."""
        while self._ends and self._ends[0][0] <= now:
            _, server = heapq.heappop(self._ends)
            call = self._calls.get(server)
            if call is None:
                continue
            if call.until > now:
                heapq.heappush(self._ends, (call.until, server))
                continue
            for tags in [*call.dialogs]:
                self._forget(call, tags)
            self._leave_if_over(call)

    def next_deadline(self) -> float | None:
        """Return when `handle_timeout` is to be called."""
        return self._ends[0][0] if self._ends else None

    def _prolong(self, call: _Call, response: Message, now: float) -> None:
        """Let a call count on, never for a shorter time than before: it has one entry to wake by."""
        agreed = interval_untrusted(response.header("Session-Expires"))
        interval = self._longest if agreed is None else min(agreed[0], self._longest)
        is_first = not call.until
        call.until = max(call.until, now + interval)
        if not is_first:
            return
        heapq.heappush(self._ends, (call.until, call.server))
        if len(self._ends) > 2 * len(self._calls) + _SPARE:
            self._ends = [(one.until, one.server) for one in self._calls.values() if one.until]
            heapq.heapify(self._ends)

    def _end(self, dialog: Dialog) -> None:
        self._forget(dialog.call, dialog.tags)
        self._leave_if_over(dialog.call)

    def _forget(self, call: _Call, tags: Tags) -> None:
        call.dialogs.discard(tags)
        found = self._dialogs.get(tags)
        if found is not None and found.call is call:
            del self._dialogs[tags]

    def _leave_if_over(self, call: _Call) -> None:
        if not call.is_ringing and not call.dialogs and call.server in self._calls:
            del self._calls[call.server]
            self._quota.leave(call.server)


def _uri_untrusted(contact: str | None) -> str:
    try:
        return NameAddr.parse(contact or "").uri
    except ParseError:
        return ""


def _tags(message: Message) -> Tags:
    """Return Call-ID, From tag and To tag."""
    return message.header("Call-ID") or "", message.from_tag, message.to_tag
