"""A ladder of SIP messages: one column for each party, time downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, final

from trivox.observe.ladder_svg import svg_of
from trivox.observe.records import MessageRecord, messages_of, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trivox.net.transport import Address
    from trivox.observe.records import Messages, Traced

_NARROWEST: Final = 24
_WIDEST: Final = 56
_CLOCK: Final = 12
_MARGIN: Final = 20
"""Where the first column's line stands."""
_NOTHING_KEPT: Final = "no messages were kept: open the client with keep_trace=True\n"
_REPEATED: Final = " (again)"


@final
@dataclass(frozen=True, slots=True)
class Rung:
    """One message in the picture.

    Attributes:
        after: Seconds since the first message.
        source: Column it leaves from.
        destination: Column it goes to.
        title: What it is, and whether it was sent before.
    """

    after: float
    source: int
    destination: int
    title: str


@final
@dataclass(frozen=True, slots=True)
class Ladder:
    """Who takes part, one column each, and what passed between them, oldest first."""

    columns: tuple[str, ...]
    rungs: tuple[Rung, ...]

    @classmethod
    def of(cls, messages: Messages, parties: Mapping[Address, str]) -> Ladder:
        """Sort the messages by time and find the columns."""
        records = sorted(map(MessageRecord.of, messages), key=lambda record: record.at)
        names = _columns(records, parties)
        began = records[0].at if records else 0.0
        rungs = tuple(
            Rung(
                record.at - began,
                names.index(_name(record.source, parties)),
                names.index(_name(record.destination, parties)),
                title,
            )
            for record, title in zip(records, _titles(records), strict=True)
        )
        return cls(tuple(names), rungs)


def ladder(
    what: Traced | Messages,
    parties: Mapping[Address, str] | None = None,
    *,
    form: Literal["text", "svg"] = "text",
) -> str:
    """Draw the SIP messages of a call, oldest first, with milliseconds since the first one.

    Args:
        what: A call whose client was opened with `keep_trace=True`; or what one endpoint sent and
            received, as a MessageRecorder's records or `Call.trace`.
        parties: Names of addresses, in the order of the columns. Several addresses may share a
            name; an address without one gets a column of its own at the right.
        form: "text": lines, each ending with a line feed; "svg": a picture for a browser.

    Returns:
        The drawing. A message that is the same as an earlier one, byte for byte and between the
        same two, is marked as sent again. Only first lines are shown: no header, no body.
        Without any message the text says how to have them kept.
    """
    drawn = Ladder.of(messages_of(what), parties or {})
    if not drawn.rungs and form == "text":
        return _NOTHING_KEPT
    return svg_of(drawn) if form == "svg" else _text_of(drawn)


def _text_of(drawn: Ladder) -> str:
    longest = max((len(rung.title) + 6 for rung in drawn.rungs), default=0)
    spacing = max(min(longest, _WIDEST), _NARROWEST)
    lines = [_heads(drawn.columns, spacing)]
    for rung in drawn.rungs:
        arrow = _arrow(rung.source, rung.destination, len(drawn.columns), spacing, rung.title)
        lines.append(f"{rung.after * 1000:9.1f} ms{arrow}")
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _titles(messages: Sequence[MessageRecord]) -> list[str]:
    """Say what each message is, and whether it was sent before."""
    seen: set[tuple[Address, Address, bytes]] = set()
    titles = []
    for message in messages:
        same = (message.source, message.destination, message.data)
        titles.append(message.title + (_REPEATED if same in seen else ""))
        seen.add(same)
    return titles


def _columns(messages: Sequence[MessageRecord], parties: Mapping[Address, str]) -> list[str]:
    """Return the names of all who take part, the known ones first."""
    present = dict.fromkeys(
        _name(address, parties)
        for message in messages
        for address in (message.source, message.destination)
    )
    known = [name for name in dict.fromkeys(map(printable, parties.values())) if name in present]
    return known + [name for name in present if name not in known]


def _name(address: Address, parties: Mapping[Address, str]) -> str:
    host, port = address
    name = parties.get(address) or (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return printable(name)


def _heads(names: Sequence[str], spacing: int) -> str:
    line = " " * _CLOCK
    for column, name in enumerate(names):
        start = max(_MARGIN + column * spacing - len(name) // 2, len(line) + 1)
        line = line.ljust(start) + name
    return line


def _arrow(source: int, destination: int, columns: int, spacing: int, title: str) -> str:
    """Draw one message as an arrow between two columns, its title in the middle."""
    margin = _MARGIN - _CLOCK
    cells = [" "] * (margin + (columns - 1) * spacing + 1)
    for column in range(columns):
        cells[margin + column * spacing] = "│"
    line = "".join(cells)
    left = margin + min(source, destination) * spacing
    right = margin + max(source, destination) * spacing
    if left == right:
        return f"{line[: left + 1]}◯ {title}"
    room = right - left - 5
    text = f" {title if len(title) <= room else title[: room - 1] + '…'} "
    shaft = text.center(right - left - 2, "─")
    drawn = f"{shaft}▶" if destination > source else f"◀{shaft}"
    return line[: left + 1] + drawn + line[right:]
