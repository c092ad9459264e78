"""The registrar (RFC 3261 §10.3): who asks, what they may, and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr, Uri
from trivox.errors import InvalidUriError, NotSupportedError
from trivox.switchboard.gruu import wants_gruu
from trivox.switchboard.identity import Refusal, address_of_untrusted, unsupported
from trivox.switchboard.location import Binding

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.net.endpoint import Endpoint
    from trivox.net.transport import Address
    from trivox.sip.outputs import Headers
    from trivox.switchboard.gruu import Gruus
    from trivox.switchboard.identity import Identity, Request
    from trivox.switchboard.location import LocationTable

_EXTENSIONS: Final = frozenset({"path", "outbound", "gruu"})
_FLOW_TIMER: Final = 120
"""Seconds a flow may be silent; keep-alives come sooner (RFC 5626 §6)."""
_DEFAULT_EXPIRES: Final = 3600
_LEAST_EXPIRES: Final = 60
_MOST_EXPIRES: Final = 7200
_MOST_CONTACTS: Final = 10


@final
class Registrar:
    """Answers REGISTER and keeps the location table."""

    def __init__(
        self, endpoint: Endpoint, identity: Identity, location: LocationTable, gruus: Gruus
    ) -> None:
        self._endpoint = endpoint
        self._gruus = gruus
        self._identity = identity
        self._location = location

    def register(self, request: Request, now: float) -> Refusal:
        """Serve one REGISTER and return its answer, 200 included.

        Raises:
            ParseError: A header does not parse.
        """
        message = request.message
        refusal = unsupported(message, "Require", _EXTENSIONS)
        if refusal is not None:
            return refusal
        user = self._identity.authenticate(request, now, proxy=False)
        if isinstance(user, Refusal):
            return user
        address = address_of_untrusted(message, "To")
        if address.user != user:
            return Refusal(403)
        if not self._identity.is_own_uri(address):
            return Refusal(404)
        held = self._location.bindings(user, now)
        contacts = message.values("Contact")
        if any(value.strip() == "*" for value in contacts):
            refusal = self._remove_all(message, user, contacts, held)
        elif contacts:
            refusal = self._update(request, user, contacts, list(held), now)
        return refusal or self._listing(message, user, now)

    def _remove_all(
        self, message: Message, user: str, contacts: list[str], held: tuple[Binding, ...]
    ) -> Refusal | None:
        if len(contacts) != 1 or _read_seconds(message.header("Expires")) != 0:
            return Refusal(400)
        if any(_is_out_of_order(message, binding) for binding in held):
            return Refusal(500)
        self._location.replace(user, [])
        return None

    def _update(
        self, request: Request, user: str, contacts: list[str], held: list[Binding], now: float
    ) -> Refusal | None:
        """Apply all contacts or none (RFC 3261 §10.3 step 7)."""
        default = _read_seconds(request.message.header("Expires"))
        for value in contacts:
            contact = NameAddr.parse(value)
            uri = Uri.parse(contact.uri)
            given = contact.parameters.get("expires")
            expires = _read_seconds(given) if given is not None else default
            if expires is None:
                expires = _DEFAULT_EXPIRES
            if 0 < expires < _LEAST_EXPIRES:
                return Refusal(423, (("Min-Expires", str(_LEAST_EXPIRES)),))
            expires_at = now + min(expires, _MOST_EXPIRES)
            binding = self._bind(request, contact, uri, expires_at, held)
            if isinstance(binding, Refusal):
                return binding
            before = next((one for one in held if binding.replaces(one)), None)
            if before is not None:
                if _is_out_of_order(request.message, before):
                    return Refusal(500)
                held.remove(before)
            if expires:
                held.append(binding)
        if len(held) > _MOST_CONTACTS:
            return Refusal(403)
        self._location.replace(user, held)
        return None

    def _bind(
        self,
        request: Request,
        contact: NameAddr,
        uri: Uri,
        expires_at: float,
        held: list[Binding],
    ) -> Binding | Refusal:
        if uri.scheme != "sip":
            return Refusal(416)
        flow = self._endpoint.flow(request.flow)
        is_connection = flow is not None and flow.remote is not None
        path = tuple(request.message.values("Path"))
        device = _device_of(contact)
        reg_id = _flow_of(request.message, contact) if device else 0
        if reg_id and not _is_first_hop(request.message, path):
            return Refusal(439)
        hop = NameAddr.parse(path[0]).uri if path else contact.uri
        transport, destination = self._reach(hop, request.source)
        if reg_id:
            # Reached by the very flow it registered by (RFC 5626 §6).
            transport, destination = "udp" if flow is None else flow.transport, request.source
        if self._identity.is_own_address(destination):
            return Refusal(403)  # a contact that is ourselves would send each call in circles
        if is_connection:
            self._endpoint.keep(request.flow)
        _, _, call_id, _, _, _, _, cseq = request.message.key()
        return Binding(
            contact=contact.uri,
            uri=uri,
            flow=request.flow,
            is_connection=is_connection,
            transport=transport,
            destination=destination,
            expires_at=expires_at,
            call_id=call_id,
            cseq=cseq,
            path=path,
            hop=hop,
            instance=device if reg_id else "",
            reg_id=reg_id,
            device=device,
            gruu=self._gruus.number(held, device, reg_id, call_id) if device else 0,
        )

    def _reach(self, contact: str, source: Address) -> tuple[str, Address]:
        """Return where a contact is reached: on the host its REGISTER came from and no other.

        A contact on another host is one behind a NAT, reached where it came from; or an attempt to
        make us send to a third party.
        """
        try:
            target = self._endpoint.resolve_now(contact)
        except (InvalidUriError, NotSupportedError):
            target = None
        if target is not None and target.address[0] == source[0]:
            return target.transport, target.address
        return "udp", source

    def _listing(self, message: Message, user: str, now: float) -> Refusal:
        bindings = self._location.bindings(user, now)
        wants = wants_gruu(message)
        headers: Headers = ()
        for one in bindings:
            grants = self._gruus.parameters(user, one) if wants and one.gruu else ""
            headers += (("Contact", _written(one, now) + grants),)
        headers += tuple(("Path", value) for value in message.values("Path"))
        _, _, call_id, _, _, _, _, cseq = message.key()
        if any(b.reg_id and (b.call_id, b.cseq) == (call_id, cseq) for b in bindings):
            headers += (("Require", "outbound"), ("Flow-Timer", str(_FLOW_TIMER)))
        return Refusal(200, headers)


def _written(binding: Binding, now: float) -> str:
    """Return a binding as a Contact value (RFC 3261 §10.3 step 8)."""
    left = max(1, round(binding.expires_at - now))
    value = f"<{binding.contact}>;expires={left}"
    if binding.device:
        value += f';+sip.instance="{binding.device}"'
    return f"{value};reg-id={binding.reg_id}" if binding.reg_id else value


def _device_of(contact: NameAddr) -> str:
    """Return the device of a contact (RFC 5626 §4.1); empty when it does not say."""
    instance = contact.parameters.get("+sip.instance") or ""
    return instance if instance.isprintable() and not set(instance) & {'"', "\\"} else ""


def _flow_of(message: Message, contact: NameAddr) -> int:
    """Return the flow of a contact that asks for outbound; 0 for others (RFC 5626 §6)."""
    asked = {tag.lower() for name in ("Supported", "Require") for tag in message.values(name)}
    reg_id = _read_seconds(contact.parameters.get("reg-id")) or 0
    return reg_id if "outbound" in asked else 0


def _is_first_hop(message: Message, path: tuple[str, ...]) -> bool:
    """Whether the flow ends here, or at an edge proxy that keeps it (RFC 5626 §6)."""
    if not path:
        return len(message.values("Via")) == 1
    return "ob" in Uri.parse(NameAddr.parse(path[-1]).uri).parameters


def _is_out_of_order(message: Message, binding: Binding) -> bool:
    _, _, call_id, _, _, _, _, cseq = message.key()
    return call_id == binding.call_id and cseq <= binding.cseq


def _read_seconds(text: str | None) -> int | None:
    """Return delta-seconds; None when there are none or they do not parse (RFC 3261 §10.2.1.1)."""
    if text is None:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 10:
        return None
    return int(digits)
