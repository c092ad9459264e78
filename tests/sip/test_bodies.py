"""The session description of a body, alone or among other parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.sip.bodies import description_untrusted

SDP = b"v=0\r\ns=-"
TYPE = "Content-Type: application/sdp"


def multipart(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    """Write a body: each part its headers, one a line, and its content."""
    written = [
        f"--{boundary}\r\n".encode()
        + (f"{head}\r\n" if head else "").encode()
        + b"\r\n"
        + content
        + b"\r\n"
        for head, content in parts
    ]
    return b"".join(written) + f"--{boundary}--\r\n".encode()


@pytest.mark.parametrize("kind", ["", "application/sdp", "Application/SDP; charset=utf-8"])
def test_a_body_of_its_type_or_of_none_is_the_description(kind: str) -> None:
    assert description_untrusted(SDP, kind) == SDP


@pytest.mark.parametrize("kind", ["text/plain", "multipart/mixed", "text/plain;boundary=b", "/"])
def test_a_body_of_another_type_or_without_boundary_holds_none(kind: str) -> None:
    assert description_untrusted(multipart((TYPE, SDP)), kind) == b""


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/mixed;boundary=b", "b"),
        ('Multipart/Mixed; charset=x; Boundary="a b:c"', "a b:c"),
        ("multipart/alternative; boundary=b", "b"),
    ],
)
def test_the_description_is_found_among_other_parts(kind: str, boundary: str) -> None:
    body = multipart(
        ("Content-Type: application/isup", b"\x00\x01\r\n\r\n--other"),
        (TYPE, SDP),
        boundary=boundary,
    )

    assert description_untrusted(b"preamble\r\n" + body + b"epilogue", kind) == SDP + b"\r\n"


@pytest.mark.parametrize(
    "head",
    [
        "content-type : application/sdp",
        "Content-Type:\r\n application/sdp\r\nContent-Disposition: session;handling=required",
        "Content-Transfer-Encoding: 8BIT\r\nContent-Type: application/sdp",
        "odd\r\nContent-Type: application/sdp",
    ],
)
def test_headers_of_a_part_are_read_as_mime_writes_them(head: str) -> None:
    body = multipart((head, SDP + b"\r\n"))

    assert description_untrusted(body, "multipart/mixed;boundary=b") == SDP + b"\r\n"


@pytest.mark.parametrize(
    "head",
    [
        "",
        "Content-Type: text/plain",
        "Content-Type:",
        f"{TYPE}\r\nContent-Disposition: early-session",
        f"{TYPE}\r\nContent-Transfer-Encoding: base64",
    ],
)
def test_parts_for_something_else_are_passed_over(head: str) -> None:
    body = multipart((head, b"v=other"), (TYPE, SDP))

    assert description_untrusted(body, "multipart/mixed;boundary=b") == SDP + b"\r\n"


def test_a_longer_boundary_is_not_ours_and_nothing_counts_after_the_last_one() -> None:
    longer = b"--bb\r\n" + TYPE.encode() + b"\r\n\r\nv=longer\r\n"
    after = multipart() + multipart((TYPE, SDP))

    assert description_untrusted(longer, "multipart/mixed;boundary=b") == b""
    assert description_untrusted(after, "multipart/mixed;boundary=b") == b""


@pytest.mark.parametrize(("depth", "is_found"), [(8, True), (9, False)])
def test_parts_of_parts_are_looked_into_eight_deep(depth: int, is_found: bool) -> None:
    head, content = TYPE, SDP
    for level in range(depth):
        boundary = f"level{level}."
        content = multipart((head, content), boundary=boundary)
        head = f"Content-Type: multipart/mixed;boundary={boundary}"

    found = description_untrusted(content, head.partition(": ")[2])

    assert bool(found) is is_found


@pytest.mark.parametrize(("before", "is_found"), [(31, True), (32, False)])
def test_no_more_than_32_parts_are_looked_at(before: int, is_found: bool) -> None:
    body = multipart(*[("Content-Type: text/plain", b"x")] * before, (TYPE, SDP))

    assert bool(description_untrusted(body, "multipart/mixed;boundary=b")) is is_found


@given(st.lists(st.sampled_from([b"--b", b"--", b"\r\n", b": ", b"\xff", TYPE.encode(), SDP])))
def test_any_bytes_give_a_description_or_none(pieces: list[bytes]) -> None:
    found = description_untrusted(b"".join(pieces), "multipart/mixed;boundary=b")

    assert found == b"" or found.endswith(b"\n")
