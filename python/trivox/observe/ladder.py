"""A ladder of SIP messages as text: one column for each party, time downwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trivox.net.transport import Address
    from trivox.observe.records import MessageRecord

_SPACING: Final = 36
_CLOCK: Final = 12
_REPEATED: Final = " (again)"


def ladder(records: Iterable[MessageRecord], parties: Mapping[Address, str]) -> str:
    """Draw the messages, oldest first, with milliseconds since the first one.

    Args:
        records: What one endpoint sent and received; others see only what passes it.
        parties: Names of addresses, in the order of the columns. Several addresses may share a
            name; an address without one gets a column of its own at the right.

    Returns:
        Lines of text, each ending with a line feed. A message that is the same as an earlier one,
        byte for byte and between the same two, is marked as sent again.
    """
    messages = sorted(records, key=lambda record: record.at)
    names = _columns(messages, parties)
    lines = [_heads(names)]
    seen: set[tuple[Address, Address, bytes]] = set()
    began = messages[0].at if messages else 0.0
    for message in messages:
        same = (message.source, message.destination, message.data)
        title = message.title + (_REPEATED if same in seen else "")
        seen.add(same)
        source = names.index(_name(message.source, parties))
        destination = names.index(_name(message.destination, parties))
        clock = f"{(message.at - began) * 1000:9.1f} ms"
        lines.append(clock + _arrow(source, destination, len(names), title))
    return "".join(f"{line.rstrip()}\n" for line in lines)


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


def _place(column: int) -> int:
    """Return where a column's line stands."""
    return _CLOCK + 8 + column * _SPACING


def _heads(names: Sequence[str]) -> str:
    line = " " * _CLOCK
    for column, name in enumerate(names):
        start = max(_place(column) - len(name) // 2, len(line) + 1)
        line = line.ljust(start) + name
    return line


def _arrow(source: int, destination: int, columns: int, title: str) -> str:
    """Draw one message as an arrow between two columns, its title in the middle."""
    left, right = min(source, destination), max(source, destination)
    cells = [" "] * (_place(columns - 1) + 1 - _CLOCK)
    for column in range(columns):
        cells[_place(column) - _CLOCK] = "│"
    line = "".join(cells)
    if left == right:
        return f"{line[: _place(left) - _CLOCK + 1]}◯ {title}"
    start, end = _place(left) - _CLOCK + 1, _place(right) - _CLOCK
    room = end - start - 4
    text = f" {title if len(title) <= room else title[: room - 1] + '…'} "
    shaft = text.center(end - start - 1, "─")
    drawn = f"{shaft}▶" if destination > source else f"◀{shaft}"
    return line[:start] + drawn + line[end:]
