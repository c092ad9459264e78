"""INFO requests of the far end: keys, candidates, and what only a program understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call import _requests as requests
from trivox.call._engine_events import take_digit
from trivox.call._trickle import may_go_by_ice, own_packages, trickling_of
from trivox.call.events import InfoReceived, Originator
from trivox.sip import info_packages as packages

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.call._core import CallCore


def take_info(call: CallCore, tx: int, message: Message) -> None:
    """Take an INFO: a key, candidates, or what the program is told."""
    package = message.headers("Info-Package")
    if package and not _leaves_to_program(call, tx, message, package):
        return
    call._respond(tx, 200)
    mime_type = message.header("Content-Type") or ""
    tone = requests.tone_of_info(mime_type, message.body)
    if tone is not None:
        take_digit(call, tone[0], tone[1], "info")
        return
    call._emit(
        InfoReceived,
        Originator.REMOTE,
        message,
        mime_type=mime_type,
        body=message.body.decode(errors="replace"),
        raw=message.body,
    )


def _leaves_to_program(call: CallCore, tx: int, message: Message, package: list[str]) -> bool:
    """Answer an INFO of a package, unless the program has said that it takes that one."""
    given = call.settings.extra_headers.items()
    asked = [value for name, value in given if name.lower() == packages.RECV_INFO.lower()]
    named = packages.packages_untrusted(package)
    if packages.TRICKLE in named and may_go_by_ice(call):
        _take_fragment(call, tx, message)
        return False
    if named and named <= packages.packages_untrusted(asked):
        return True
    taken = ", ".join([*(value for _, value in own_packages(call)), *asked])
    call._respond(tx, 469, headers=((packages.RECV_INFO, taken),))
    return False


def _take_fragment(call: CallCore, tx: int, message: Message) -> None:
    kind = (message.header("Content-Type") or "").partition(";")[0].strip().lower()
    if kind != packages.FRAGMENT:
        call._respond(tx, 415, headers=(("Accept", packages.FRAGMENT),))
        return
    trickling = trickling_of(call)
    is_fragment = trickling.take_untrusted(message.body)
    call._respond(tx, 200 if is_fragment else 400)
