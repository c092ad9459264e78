"""A folder of pages, given out at the port of the WebSocket."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Final, final
from urllib.parse import unquote

import trio

from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_path
from trivox.net.pages import PageResponse

if TYPE_CHECKING:
    from trivox.net.pages import PageRequest

_LARGEST_BYTES: Final = 64 * 1024 * 1024
_NOT_FOUND: Final = PageResponse(404, (("Content-Type", "text/plain"),), b"Not Found\n")


@final
class PageFolder:
    """Answers GET and HEAD with the files below one folder and with nothing outside it."""

    def __init__(self, folder: str | Path) -> None:
        """Take the folder. Raises InvalidArgumentsError when it is none."""
        self._root = Path(checked_path(folder, "give pages from")).resolve()
        if not self._root.is_dir():
            raise InvalidArgumentsError(f"pages={str(folder)!r} is no folder")

    async def __call__(self, request: PageRequest) -> PageResponse:
        """Answer one request; what is missing, too large or outside the folder is 404."""
        return await trio.to_thread.run_sync(self._read, request.target)

    def _read(self, target: str) -> PageResponse:
        path = self._find_untrusted(target)
        if path is None:
            return _NOT_FOUND
        try:
            if path.stat().st_size > _LARGEST_BYTES:
                return _NOT_FOUND
            body = path.read_bytes()
        except OSError:
            return _NOT_FOUND
        kind, encoding = mimetypes.guess_type(path.name)
        kind = kind if kind and not encoding else "application/octet-stream"
        headers = (
            ("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind),
            ("Cache-Control", "no-cache"),
            ("X-Content-Type-Options", "nosniff"),
        )
        return PageResponse(200, headers, body)

    def _find_untrusted(self, target: str) -> Path | None:
        """Return the file that a request target names, if it is below the folder."""
        name = unquote(target.partition("?")[0])
        if not name.startswith("/") or "\0" in name or "\\" in name:
            return None
        parts = [part for part in name.split("/") if part not in ("", ".")]
        # A part that begins with a dot is a hidden file, or a way out.
        if any(part.startswith(".") for part in parts):
            return None
        try:
            path = self._root.joinpath(*parts).resolve()
            if path.is_dir():
                path = (path / "index.html").resolve()
            # A link may lead out of the folder.
            return path if path.is_relative_to(self._root) and path.is_file() else None
        except (OSError, ValueError):
            return None
