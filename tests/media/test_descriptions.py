"""What descriptions of the engine say about how they are to be used."""

from __future__ import annotations

import pytest
from tests.media.pairs import open_side


@pytest.mark.native
async def test_a_description_with_all_candidates_says_so(live) -> None:
    """RFC 8840 §8.2: a far end that trickles waits for no more of them."""
    offer = live.sessions.create_offer(open_side(live, "ice").session)
    lines = (offer if isinstance(offer, str) else offer.decode()).splitlines()

    last = max(index for index, line in enumerate(lines) if line.startswith("a=candidate:"))
    assert lines[last + 1] == "a=end-of-candidates"
