"""Who may be told of another party, and where: early dialogs and `from-change` (RFC 4916, 3311)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.sip.invite_table import InviteState
from trivox.sip.reliable import SenderState

if TYPE_CHECKING:
    from trivox.sip.invite_leg import InviteLeg

TAG: Final = "from-change"


def can_rename(leg: InviteLeg) -> bool:
    """Whether the far end takes another From than before (RFC 4916 §4.4.1)."""
    return leg.supports(TAG)


def early_tag(leg: InviteLeg) -> str | None:
    """Return the To tag of the early dialog an UPDATE may go out in; None for none (RFC 3311 §5.1).

    As callee it is empty: there is one dialog, once the PRACK of a response of ours has come.
    """
    if not leg.can_update:
        return None
    if leg.state is InviteState.INCOMING:
        is_told = leg.sender is not None and leg.sender.state is SenderState.IDLE
        return "" if is_told else None
    if leg.state is not InviteState.PROCEEDING:
        return None
    agreed = [tag for tag, early in leg.exchanges.items() if early.is_agreed]
    return agreed[-1] if agreed else None
