"""Far ends nobody here wrote: found, or the test fails in CI and is skipped elsewhere."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from .far_ends.browser import built_page

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = {
    "sipp": ("sipp",),
    "baresip": ("baresip",),
    "chromium-jssip": ("chromium", "node", "npm"),
    "chromium-sipjs": ("chromium", "node", "npm"),
    "kamailio": ("kamailio", "kamcmd"),
    "sipsak": ("sipsak",),
    "sipvicious": ("svmap", "svwar", "svcrack"),
    "tshark": ("tshark",),
    "rtpengine": ("rtpengine", "kamailio", "kamcmd", "baresip", "chromium", "node", "npm"),
    "coturn": ("turnserver", "chromium", "node", "npm"),
}


def missing_program(far_end: str) -> str | None:
    """Return the first program of a far end that is not on PATH."""
    return next((name for name in PROGRAMS[far_end] if shutil.which(name) is None), None)


@pytest.fixture(autouse=True)
def _far_end(request: pytest.FixtureRequest, record_property) -> None:
    marker = request.node.get_closest_marker("far_end")
    assert marker is not None, "an interop test names its far end: @pytest.mark.far_end('sipp')"
    record_property("far_end", marker.args[0])
    missing = missing_program(marker.args[0])
    if missing is not None:
        reason = f"{marker.args[0]} needs the program '{missing}', which is not on PATH"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A folder of its own for each far end's configuration, logs and recordings."""
    folder = tmp_path / "far_end"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the browser's page, bundled once."""
    return built_page(tmp_path_factory.mktemp("page"))
