"""Random names that nobody can guess: tags, Call-IDs, tokens of digest."""

from __future__ import annotations

import hashlib
import itertools
from typing import final


@final
class Identifiers:
    """A sequence of names drawn from one seed; the same seed gives the same names."""

    def __init__(self, seed: bytes) -> None:
        self._key = seed[:64]
        self._numbers = itertools.count(1)

    def __call__(self) -> str:
        """Return the next name: 96 bits, as 24 hexadecimal digits."""
        number = next(self._numbers).to_bytes(8, "big")
        return hashlib.blake2b(number, key=self._key, digest_size=12).hexdigest()

    def fraction(self) -> float:
        """Return the next number from 0 to 1, to spread what would happen at once."""
        return int(self()[:8], 16) / 0xFFFF_FFFF
