"""By which hop the messages of each dialog come, so that requests within it go back by that hop."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from trivox.sip.invite_leg import MAX_FORKS

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.net.transport import Address

    Hop = tuple[int, Address]


@final
class Hops:
    """Flow and source of the last message, by token and, where they differ, by dialog.

    As a rule everything of a token comes by one hop, and nothing more is kept. Branches of one
    request come by several when another server was asked (RFC 3263 §4.3), when a call was sent on,
    and when forks of a SUBSCRIBE notify by connections of their own.
    """

    __slots__ = ("_apart", "_last")

    def __init__(self) -> None:
        self._last: dict[int, Hop] = {}
        self._apart: dict[int, dict[str | None, Hop]] = {}
        """By remote tag; under None that of the dialogs which were there before they parted."""

    def __len__(self) -> int:
        return len(self._last)

    def begin(self, token: int, hop: Hop) -> None:
        """Take by which hop the first message of a token came."""
        self._last[token] = hop

    def note(self, token: int, hop: Hop, message: Message) -> None:
        """Take that a message of a token came by a hop."""
        last = self._last.get(token)
        if last is None or (last == hop and token not in self._apart):
            self._last[token] = hop
            return
        self._last[token] = hop
        apart = self._apart.setdefault(token, {None: last})
        apart[message.from_tag if message.is_request else message.to_tag] = hop
        if len(apart) > MAX_FORKS:
            del apart[next(tag for tag in apart if tag is not None)]

    def last(self, token: int) -> Hop | None:
        """Return the hop of a token's last message; None before the first."""
        return self._last.get(token)

    def of(self, token: int, tag: str | None) -> Hop | None:
        """Return the hop of the last message in the dialog with that remote tag, as far as known."""
        apart = self._apart.get(token)
        if apart is None:
            return self._last.get(token)
        return apart.get(tag) or apart[None]

    def on(self, flows: set[int]) -> list[int]:
        """Return the tokens whose last message came by one of these flows."""
        return [token for token, (flow, _) in self._last.items() if flow in flows]

    def forget(self, token: int) -> None:
        """Forget a token."""
        self._last.pop(token, None)
        self._apart.pop(token, None)
