"""What one dialog has been told of our candidates, fragment by fragment (RFC 8840 §4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox.call.messages import SipResponse


@final
class Telling:
    """One at a time, each with all candidates so far: a far end may take them in any order.

    It takes the answers to fragments as `Outcome`; who refuses one gets no more.
    """

    __slots__ = ("_go_on", "_is_out", "_refused", "_told", "is_refused", "tag")

    def __init__(
        self, tag: str, told: str, go_on: Callable[[], None], refused: Callable[[], None]
    ) -> None:
        """Begin with what is known there.

        Args:
            tag: The far end's of the dialog; empty for the dialog of a call that came to us.
            told: The fragment that says no more than what it knows.
            go_on: The way is free for the next one.
            refused: It will have no more.
        """
        self.tag = tag
        self.is_refused = False
        self._told = told
        self._is_out = False
        self._go_on = go_on
        self._refused = refused

    def take(self, fragment: str) -> bool:
        """Note a fragment as sent; False: it says nothing new, or has to wait."""
        if not fragment or fragment == self._told or self._is_out or self.is_refused:
            return False
        self._told, self._is_out = fragment, True
        return True

    def resolve(self, response: SipResponse) -> None:
        """Take the answer to a fragment."""
        self._is_out = False
        if response.is_success:
            self._go_on()
        else:
            self._refuse()

    def fail(self, error: Exception) -> None:
        """Take that a fragment has no answer."""
        del error
        self._is_out = False
        self._refuse()

    def _refuse(self) -> None:
        self.is_refused = True
        self._refused()
