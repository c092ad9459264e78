"""A ladder of SIP messages as text: one column for each party, time downwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trivox.observe.records import MessageRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trivox.call.trace import TraceRecord
    from trivox.net.transport import Address

_NARROWEST: Final = 24
_WIDEST: Final = 56
_CLOCK: Final = 12
_MARGIN: Final = 20
"""Where the first column's line stands."""
_REPEATED: Final = " (again)"


def ladder(records: Iterable[TraceRecord | MessageRecord], parties: Mapping[Address, str]) -> str:
    """Draw the messages, oldest first, with milliseconds since the first one.

    Args:
        records: What one endpoint sent and received, as a MessageRecorder's records or
            `Call.trace`; messages that do not pass it are not in the picture.
        parties: Names of addresses, in the order of the columns. Several addresses may share a
            name; an address without one gets a column of its own at the right.

    Returns:
        Lines of text, each ending with a line feed. A message that is the same as an earlier one,
        byte for byte and between the same two, is marked as sent again.
    """
    messages = sorted(map(MessageRecord.of, records), key=lambda record: record.at)
    names = _columns(messages, parties)
    titles = _titles(messages)
    spacing = min(max((len(title) + 6 for title in titles), default=0), _WIDEST)
    spacing = max(spacing, _NARROWEST)
    lines = [_heads(names, spacing)]
    began = messages[0].at if messages else 0.0
    for message, title in zip(messages, titles, strict=True):
        source = names.index(_name(message.source, parties))
        destination = names.index(_name(message.destination, parties))
        clock = f"{(message.at - began) * 1000:9.1f} ms"
        lines.append(clock + _arrow(source, destination, len(names), spacing, title))
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
    known = [name for name in dict.fromkeys(parties.values()) if name in present]
    return known + [name for name in present if name not in known]


def _name(address: Address, parties: Mapping[Address, str]) -> str:
    host, port = address
    return parties.get(address) or (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


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
