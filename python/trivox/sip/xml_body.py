"""XML bodies of events as plain trees, from senders nobody trusts.

Documents with a DOCTYPE are refused, and with it every entity of their own: no expansion, no
outside reference. What is left is bounded in size, depth and number of elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, final
from xml.parsers import expat

from trivox.errors import ParseError

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 16
MAX_ELEMENTS: Final = 2_048


@final
@dataclass(slots=True)
class Element:
    """One element: its name without namespace, attributes, own text, and children in order."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def child(self, name: str) -> Element | None:
        """Return the first child of that name, or None."""
        return next((child for child in self.children if child.name == name), None)

    def text_of(self, name: str) -> str:
        """Return the text of the first child of that name; empty for none."""
        child = self.child(name)
        return child.text.strip() if child is not None else ""


def parse_xml_untrusted(body: bytes, root: str) -> Element:
    """Return the root element, which must have that name. Raises ParseError."""
    if len(body) > MAX_BYTES:
        raise ParseError(f"an XML body of more than {MAX_BYTES} bytes")
    builder = _Builder()
    try:
        builder.parse(body)
    except expat.ExpatError as error:
        raise ParseError(f"this is no XML: {error}") from None
    if builder.root.name != root:
        raise ParseError(f"the root of the document is {builder.root.name}, not {root}")
    return builder.root


def version_untrusted(root: Element) -> int:
    """Return the number that grows with each document. Raises ParseError."""
    version = root.attributes.get("version", "")
    if not (version.isascii() and version.isdigit() and len(version) <= 10):
        raise ParseError(f"a document of the kind {root.name} has a version")
    return int(version)


@final
class _Builder:
    def __init__(self) -> None:
        self._open = [Element("", {})]
        self._count = 0

    @property
    def root(self) -> Element:
        return self._open[0].children[0]

    def parse(self, body: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(body, True)  # noqa: FBT003 (expat's own: the last piece)

    def _refuse(self, *_: object) -> None:
        raise ParseError("an XML body may not have a DOCTYPE")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) > MAX_DEPTH:
            raise ParseError("an XML body of too many elements")
        plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        element = Element(name.rpartition(" ")[2], plain)
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text
