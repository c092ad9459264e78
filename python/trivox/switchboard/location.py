"""Where registered users are (RFC 3261 §10): bindings in memory, lost with the process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trivox._native import Uri
    from trivox.net.transport import Address


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of a user."""

    contact: str
    """The contact's URI as registered."""
    uri: Uri
    flow: int
    """The flow that the REGISTER came by."""
    is_connection: bool
    """Whether that flow is a connection: then the contact is reached by it alone and ends with it."""
    transport: str
    destination: Address
    """Where to send over UDP, or by a new connection: on the host that the REGISTER came from."""
    expires_at: float
    call_id: str
    cseq: int
    path: tuple[str, ...] = ()
    """Route values by which its edge proxies are passed (RFC 3327)."""
    hop: str = ""
    """URI of the nearest of those proxies; the contact itself without any."""
    instance: str = ""
    """The device (RFC 5626 §4.1); empty for a contact that is no flow of one."""
    reg_id: int = 0
    """The flow among those of the device."""
    device: str = ""
    """The device, whether or not it asked for flows; empty when it did not say."""
    gruu: int = 0
    """Number by which temporary GRUUs name this binding (RFC 5627); 0 for none."""

    def replaces(self, other: Binding) -> bool:
        """Whether this is a newer binding of the same contact, or of the same flow (§6)."""
        if self.instance:
            return (self.instance, self.reg_id) == (other.instance, other.reg_id)
        return not other.instance and self.uri == other.uri


@final
class LocationTable:
    """Bindings by user. Expired ones are never returned and go when their user is looked at."""

    def __init__(self) -> None:
        self._bindings: dict[str, list[Binding]] = {}
        self._places: Counter[int | Address | str] = Counter()

    def __len__(self) -> int:
        return sum(len(bindings) for bindings in self._bindings.values())

    def bindings(self, user: str, now: float) -> tuple[Binding, ...]:
        """Return a user's live bindings, oldest first."""
        live = [binding for binding in self._bindings.get(user, ()) if binding.expires_at > now]
        self._store(user, live)
        return tuple(live)

    def reachable(self, user: str, now: float) -> tuple[Binding, ...]:
        """Return the bindings to call: of a device with several flows only the newest (§5.3)."""
        newest: dict[object, Binding] = {}
        for number, binding in enumerate(self.bindings(user, now)):
            newest[binding.instance or number] = binding
        return tuple(newest.values())

    def replace(self, user: str, bindings: list[Binding]) -> None:
        """Set all bindings of a user."""
        self._store(user, bindings)

    def find_contact(self, uri: Uri, now: float) -> Binding | None:
        """Return the binding whose contact is `uri`, whoever's it is."""
        for bindings in self._bindings.values():
            for binding in bindings:
                if binding.expires_at > now and binding.uri == uri:
                    return binding
        return None

    def find_number(self, number: int, now: float) -> Binding | int:
        """Return the binding that temporary GRUUs name by `number`; 404 when it is gone."""
        for bindings in self._bindings.values():
            for binding in bindings:
                if binding.gruu == number and binding.expires_at > now:
                    return binding
        return 404

    def remove_flow(self, flow: int) -> None:
        """Forget the contacts that could be reached by a connection that is gone."""
        for user, bindings in list(self._bindings.items()):
            self._store(
                user, [one for one in bindings if not (one.is_connection and one.flow == flow)]
            )

    def has_place(self, flow: int, source: Address) -> bool:
        """Tell whether somebody is registered by that connection, or over UDP from that address."""
        return flow in self._places or source in self._places

    def has_host(self, host: str) -> bool:
        """Tell whether somebody is registered from that host, by whatever transport and port."""
        return host in self._places

    def _store(self, user: str, bindings: list[Binding]) -> None:
        former = self._bindings.get(user, [])
        if former != bindings:
            self._places.update(_places(bindings))
            for place in _places(former):
                self._places[place] -= 1
                if not self._places[place]:
                    del self._places[place]
        if bindings:
            self._bindings[user] = bindings
        else:
            self._bindings.pop(user, None)


def _places(bindings: Iterable[Binding]) -> Iterator[int | Address | str]:
    """Yield where requests of contacts come from: a connection, or an address over UDP; and the host."""
    for binding in bindings:
        yield binding.flow if binding.is_connection else binding.destination
        yield binding.destination[0]
