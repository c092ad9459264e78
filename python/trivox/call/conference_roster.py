"""Who is in a conference, as subscribers are told it (RFC 4575 §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.sip.conference_info import ConferenceEndpoint, ConferenceInfo, ConferenceUser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox.call.conference_member import ConferenceMember

_ANONYMOUS: Final = "sip:anonymous@anonymous.invalid"
# Heard and hearing, as the far end sees its stream (RFC 4575 §5.8.5).
_DIRECTIONS: Final = {
    (True, True): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
    (False, False): "inactive",
}


def roster(
    members: Iterable[ConferenceMember], entity: str, *, version: int, subject: str
) -> ConferenceInfo:
    """Return the document that tells who is there, in the order of their calls."""
    users = tuple(map(_user, sorted(members, key=lambda member: member.call.id)))
    return ConferenceInfo(
        entity=entity, version=version, subject=subject, user_count=len(users), users=users
    )


def _user(member: ConferenceMember) -> ConferenceUser:
    call = member.call
    endpoint = ConferenceEndpoint(
        entity=call.remote_sip_uri.value or _ANONYMOUS,
        status="on-hold" if call.is_on_hold.value else "connected",
        media=(("audio", _DIRECTIONS[not member.is_muted, not member.is_deaf]),),
    )
    return ConferenceUser(
        entity=call.remote_sip_uri.value or _ANONYMOUS,
        display_name=call.remote_display_name.value or "",
        endpoints=(endpoint,),
    )
