"""URIs that reach one device of a user and no other: GRUU (RFC 5627).

A public one shows the address of record and the device; a temporary one shows neither. Temporary
ones are not stored: each holds the number of its binding, masked and signed, so that any number of
them may be handed out and all end with that binding.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from typing import TYPE_CHECKING, Final, final
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from trivox._native import Message, Uri
    from trivox.switchboard.identity import Identity
    from trivox.switchboard.location import Binding, LocationTable

_PREFIX: Final = "tgruu."
_NUMBER_BYTES: Final = 8
# What stands unescaped in a URI's parameter (RFC 3261 §25.1: paramchar).
_PLAIN: Final = "-_.!~*'()[]/:&+$"


@final
class Gruus:
    """Makes the GRUUs of bindings, and finds the binding that one names."""

    def __init__(self, identity: Identity, location: LocationTable) -> None:
        self._identity = identity
        self._location = location
        self._numbers = itertools.count(1)
        self._drawn = itertools.count(1)

    def number(self, held: list[Binding], device: str, reg_id: int, call_id: str) -> int:
        """Return the number of a binding: of the one it refreshes, or a new one.

        Another Call-ID means that the device has begun anew: the temporary GRUUs that it got before
        end (RFC 5627 §5.1).
        """
        same = (device, reg_id, call_id)
        for one in held:
            if one.gruu and (one.device, one.reg_id, one.call_id) == same:
                return one.gruu
        return next(self._numbers)

    def parameters(self, user: str, binding: Binding) -> str:
        """Return the parameters of a Contact that grant a binding its GRUUs (§5.2)."""
        domain = self._identity.domain
        domain = f"[{domain}]" if ":" in domain else domain
        device = quote(_bare(binding.device), safe=_PLAIN)
        public = f"sip:{user}@{domain};gr={device}"
        temporary = f"sip:{self._masked(binding.gruu)}@{domain};gr"
        return f';pub-gruu="{public}";temp-gruu="{temporary}"'

    def find_untrusted(self, uri: Uri, now: float) -> Binding | int | None:
        """Return the binding that a URI of ours names (§6).

        None where it is no GRUU; 404 for one that was never given or has ended, 480 for one whose
        device is away.
        """
        if "gr" not in uri.parameters:
            return None
        if uri.user.startswith(_PREFIX):
            number = self._number_untrusted(uri.user)
            return self._location.find_number(number, now) if number else 404
        if not self._identity.is_user(uri.user):
            return 404
        device = unquote(uri.parameters["gr"] or "")
        # Of several bindings of a device the newest (§6).
        own = [b for b in self._location.bindings(uri.user, now) if _bare(b.device) == device]
        return own[-1] if own and device else 480

    def _masked(self, number: int) -> str:
        drawn = next(self._drawn).to_bytes(_NUMBER_BYTES, "big")
        mark = self._identity.sign(b"tgruu mark" + drawn)
        hidden = _xor(number.to_bytes(_NUMBER_BYTES, "big"), self._mask(mark))
        proof = self._identity.sign(b"tgruu proof" + mark + hidden)
        return _PREFIX + base64.urlsafe_b64encode(mark + hidden + proof).decode().rstrip("=")

    def _number_untrusted(self, user: str) -> int:
        token = user.removeprefix(_PREFIX)
        try:
            octets = base64.b64decode(
                token + "=" * (-len(token) % 4), altchars=b"-_", validate=True
            )
        except (binascii.Error, ValueError):
            return 0
        mark, hidden, proof = octets[:8], octets[8:16], octets[16:]
        if proof != self._identity.sign(b"tgruu proof" + mark + hidden):
            return 0
        return int.from_bytes(_xor(hidden, self._mask(mark)), "big")

    def _mask(self, mark: bytes) -> bytes:
        return self._identity.sign(b"tgruu mask" + mark)


def wants_gruu(message: Message) -> bool:
    """Whether a REGISTER asks for GRUUs (§5.1)."""
    asked = (*message.values("Supported"), *message.values("Require"))
    return any(tag.strip().lower() == "gruu" for tag in asked)


def _bare(device: str) -> str:
    return device.removeprefix("<").removesuffix(">")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
