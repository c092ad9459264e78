"""What one call's signalling tells of itself: where it stands, and what the far end takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.sip.connected_identity import can_rename, early_tag
from trivox.sip.invite_table import InviteState

if TYPE_CHECKING:
    from trivox.sip.dialog import Dialog
    from trivox.sip.invite_leg import InviteLeg
    from trivox.sip.offer_answer import OfferState

# Python 3.11 takes longer to find a member of an enum than all else in a step.
_INCOMING: Final = InviteState.INCOMING
_TERMINATED: Final = InviteState.TERMINATED


class InviteFacts:
    """The properties of an `InviteSession`; reading them changes nothing."""

    __slots__ = ("_leg",)

    def __init__(self, leg: InviteLeg) -> None:
        self._leg = leg

    @property
    def state(self) -> InviteState:
        """Where the session stands."""
        return self._leg.state

    @property
    def call_id(self) -> str:
        """The Call-ID header's value."""
        return self._leg.call_id

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that counts: the callee's from the start, the caller's from the 2xx on."""
        return self._leg.dialog

    @property
    def dialogs(self) -> tuple[Dialog, ...]:
        """The dialog that counts, or as caller without one the early ones."""
        leg = self._leg
        return tuple(leg.early.values()) if leg.dialog is None else (leg.dialog,)

    @property
    def tx(self) -> int:
        """The INVITE's transaction, client or server; 0 before it is sent."""
        return self._leg.tx

    @property
    def is_confirmed(self) -> bool:
        """Whether the 2xx is acknowledged and nobody has ended the session."""
        return self._leg.state is InviteState.CONFIRMED

    @property
    def is_acknowledged(self) -> bool:
        """Whether both ends know the dialog: a 2xx is acknowledged, or a reliable response of ours."""
        sender = self._leg.sender
        return self.is_confirmed or (sender is not None and sender.is_acknowledged)

    @property
    def is_unanswered(self) -> bool:
        """Whether their INVITE still waits for our final response."""
        return self._leg.state is _INCOMING

    @property
    def is_over(self) -> bool:
        """Whether the session has ended; a late 2xx of another branch is still handled."""
        return self._leg.state is _TERMINATED

    @property
    def offer_state(self) -> OfferState:
        """Who owes an offer or answer."""
        return self._leg.offer_answer.state

    @property
    def can_update(self) -> bool:
        """Whether the far end takes UPDATE."""
        return self._leg.can_update

    @property
    def can_rename(self) -> bool:
        """Whether the far end takes another `party` than before (`from-change`, RFC 4916)."""
        return can_rename(self._leg)

    def supports(self, tag: str) -> bool:
        """Whether the far end says that it supports an extension (its Supported, as told last)."""
        return self._leg.supports(tag)

    @property
    def early_tag(self) -> str | None:
        """The `to_tag` for an UPDATE before the 2xx; None while there can be none."""
        return early_tag(self._leg)

    @property
    def is_modifying(self) -> bool:
        """Whether a re-INVITE of ours is out, or its ACK waits for `acknowledge_modification`."""
        modification = self._leg.modification
        return modification is not None and modification.is_out

    @property
    def has_given_up(self) -> bool:
        """Whether a re-INVITE of ours was answered by silence: its 2xx may still come."""
        modification = self._leg.modification
        return modification is not None and modification.has_given_up
