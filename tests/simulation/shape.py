"""How big a simulated world is, and how bad its weather."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from trivox.testing import LinkFaults

from .names import DnsFaults

CLEAR = LinkFaults()


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of run."""

    calls: int = 1000
    per_second: float = 20.0
    callers: int = 2
    callees: int = 2
    loss: float = 0.1
    """Of datagrams, on every link."""
    access_loss: float | None = None
    """Of datagrams between callers and the first proxy, where the other links lose none."""
    duplicate: float = 0.05
    reorder: float = 0.05
    delay: float = 0.02
    transport: str = "udp"
    largest_piece: int = 0
    """Streams arrive in pieces of up to this many bytes."""
    outage: float = 0.0
    """Seconds in the middle of the run during which nothing reaches the first proxy."""
    max_duration: float | None = None
    """Seconds after which both programs end a call that nobody ended."""
    faults: LinkFaults = field(default_factory=LinkFaults)
    """What else the network and the sockets do wrong."""
    restarts: int = 0
    """Programs that lose their network, end, and come back."""
    board_restarts: int = 0
    """The same of the proxies; with the callees' goes what is registered there."""
    cancellations: float = 0.0
    """Cancellations a call: of a handler, a dial, or a single wait of one, whatever is open at that time."""
    registered: int = 3600
    """Seconds a registration lasts."""
    session_expires: int = 1800
    """Seconds a session lives without refresh."""
    callee_refreshes: float = 0.0
    """Share of the INVITEs that say, by a device in the callers' network, that the callee refreshes."""
    talk: tuple[float, float] | None = None
    """Least and most seconds all calls talk; None: mostly short ones."""
    dns: DnsFaults | None = None
    """What the DNS does wrong; None: names are looked up by the system."""
    panics: int = 0
    """Panics in the extension, in programs and proxies."""
    listener_errors: bool = False
    """Whether listeners of a third of the calls raise."""
    by_name: bool = False
    """Whether callers know the first proxy by its name."""
    patient: bool = False
    """Whether every call is answered, and nobody gives up: what fails then is the network's doing."""
    watches: int = 4
    """Subscriptions of callers to the mailboxes of callees."""
    letters: int = 40
    """MESSAGEs outside of calls."""
    is_punctual: bool = True
    """Whether nothing is late but by the weather; a busy machine repeats later than it means to."""
    settled: float = 400.0
    """Seconds after the last call's end by which nothing of it may be left; every timer is shorter."""

    @property
    def is_harsh(self) -> bool:
        """Whether so much is lost that a transaction may time out."""
        return (
            self.loss > 0.2
            or self.outage > 0.0
            or self.faults != CLEAR
            or self.restarts > 0
            or self.board_restarts > 0
            or self.cancellations > 0.0
            or self.dns is not None
            or self.panics > 0
        )

    @property
    def is_lossy(self) -> bool:
        """Whether it is harsh for its loss alone."""
        return self.is_harsh and not dataclasses.replace(self, loss=0.0).is_harsh

    @property
    def is_refreshed(self) -> bool:
        """Whether calls talk for so long that their sessions are refreshed meanwhile."""
        return self.talk is not None and self.talk[1] > self.session_expires / 2

    @property
    def round_trip(self) -> float:
        """The longest way there and back over three hops, in seconds."""
        return 6 * 12 * self.delay


WEATHER: dict[str, Shape] = {
    "rough": Shape(registered=60),
    "listeners": Shape(listener_errors=True, loss=0.05),
    "streams": Shape(transport="tcp", largest_piece=600),
    "bytewise": Shape(transport="tcp", largest_piece=3, per_second=10.0, watches=1, letters=4),
    "resets": Shape(
        transport="tcp",
        largest_piece=900,
        per_second=2.0,
        faults=LinkFaults(reset=0.01, connect=0.12, open=0.12, accept=0.2),
        max_duration=60.0,
    ),
    "lossy": Shape(loss=0.4, per_second=5.0, max_duration=60.0),
    "outage": Shape(outage=45.0, per_second=5.0, max_duration=60.0),
    "sockets": Shape(faults=LinkFaults(send=0.1), loss=0.05, max_duration=60.0),
    "corrupt": Shape(faults=LinkFaults(corrupt=0.05), loss=0.05, max_duration=60.0),
    # Below T4 (5 s), the longest a message stays in a network: what comes later than that is a
    # request of its own, by RFC 3261 §17.2.1.
    "spikes": Shape(faults=LinkFaults(spike=0.02, spike_delay=4.5), max_duration=60.0),
    "names": Shape(
        by_name=True,
        faults=LinkFaults(resolve=0.5, resolve_delay=3.0),
        per_second=1.0,
        max_duration=60.0,
    ),
    "restarts": Shape(restarts=6, per_second=10.0, max_duration=60.0),
    "reboots": Shape(board_restarts=4, per_second=5.0, max_duration=60.0, registered=60),
    "cancellations": Shape(cancellations=0.5, loss=0.05, max_duration=60.0),
    "dns": Shape(
        by_name=True,
        dns=DnsFaults(silent=0.12, broken=0.12, missing=0.12, late=0.2),
        per_second=4.0,
        max_duration=60.0,
    ),
    "refreshers": Shape(
        talk=(30.0, 300.0), session_expires=90, callee_refreshes=0.5, loss=0.05, per_second=10.0
    ),
    "widows": Shape(
        talk=(30.0, 300.0),
        session_expires=90,
        callee_refreshes=0.5,
        loss=0.02,
        per_second=10.0,
        restarts=4,
    ),
    "panics": Shape(panics=30, loss=0.02, max_duration=60.0),
}
"""The kinds of run that are played, by name."""


def replay(name: str, seed: int, calls: int) -> str:
    """Return the command that plays a run again."""
    return f"python -m tests.simulation --seed {seed} --calls {calls} --weather {name}"


def on_real_sockets(calls: int, transport: str) -> Shape:
    """Return the shape of a run on this machine: its network loses, doubles and delays nothing."""
    return Shape(
        calls=calls,
        loss=0.0,
        duplicate=0.0,
        reorder=0.0,
        transport=transport,
        settled=33.0,
        is_punctual=False,
    )
