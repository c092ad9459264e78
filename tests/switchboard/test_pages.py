"""The page folder: its files, and nothing outside it."""

from __future__ import annotations

import pytest

from trivox.errors import InvalidArgumentsError
from trivox.net.pages import PageRequest
from trivox.switchboard.pages import PageFolder


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "web"
    (root / "sub").mkdir(parents=True)
    (root / "index.html").write_text("home")
    (root / "sub" / "index.html").write_text("sub")
    (root / "ua.js").write_text("code")
    (root / "a b.wav").write_bytes(b"RIFF")
    (root / ".hidden").write_text("hidden")
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    return root


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("/", b"home", "text/html; charset=utf-8"),
        ("/index.html?x=1", b"home", "text/html; charset=utf-8"),
        ("/sub", b"sub", "text/html; charset=utf-8"),
        ("/sub/./index.html", b"sub", "text/html; charset=utf-8"),
        ("/ua.js", b"code", "text/javascript; charset=utf-8"),
        ("/a%20b.wav", b"RIFF", "audio/x-wav"),
    ],
)
async def test_files_are_given_out(folder, target, body, kind):
    page = await PageFolder(folder)(PageRequest("GET", target))

    assert (page.status, page.body) == (200, body)
    assert dict(page.headers)["Content-Type"] == kind


@pytest.mark.parametrize(
    "target",
    [
        "/../secret",
        "/%2e%2e/secret",
        "/sub/../../secret",
        "/..%2fsecret",
        "/..%5csecret",
        "//../secret",
        "/link",
        "/.hidden",
        "/missing",
        "/index.html%00.js",
        "secret",
        "http://10.0.0.1/index.html",
        "/" + "x" * 5000,
        "*",
    ],
)
async def test_nothing_else_is_found(folder, target):
    page = await PageFolder(folder)(PageRequest("GET", target))

    assert page.status == 404
    assert b"secret" not in page.body


def test_a_folder_that_is_none_is_refused(folder):
    with pytest.raises(InvalidArgumentsError, match="no folder"):
        PageFolder(folder / "index.html")
