"""The same world as the tests of calls."""

from __future__ import annotations

import pytest
from tests.call.conftest import World


@pytest.fixture
def world():
    return World
