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
        self._drawn: list[str] = []

    def __call__(self) -> str:
        """Return the next name: 96 bits, as 24 hexadecimal digits."""
        if not self._drawn:
            number = next(self._numbers).to_bytes(8, "big")
            digits = hashlib.blake2b(number, key=self._key, digest_size=60).hexdigest()
            self._drawn = [digits[at : at + 24] for at in range(0, 120, 24)]
        return self._drawn.pop()

    def fraction(self) -> float:
        """Return the next number from 0 to 1, to spread what would happen at once."""
        return int(self()[:8], 16) / 0xFFFF_FFFF
