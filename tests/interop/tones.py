"""What tone a WAV file holds: the judge of audio that passed a far end."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def samples_of(path: Path, *, channel: int = 0) -> tuple[np.ndarray, int]:
    """Return one channel's samples (float64, -1…1) and the rate in Hz."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2, "16-bit PCM"
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        channels = data.reshape(-1, file.getnchannels())
        return channels[:, channel] / 32768.0, file.getframerate()


def strongest_hz(samples: np.ndarray, rate_hz: int) -> float:
    """Return the strongest frequency, to a few Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate_hz / len(samples))


def assert_tone(
    path: Path, hz: float, *, channel: int = 0, from_s: float = 0.5, seconds: float = 1.0
) -> None:
    """Assert that this stretch of the recording holds that tone, and not silence."""
    samples, rate = samples_of(path, channel=channel)
    stretch = samples[int(from_s * rate) : int((from_s + seconds) * rate)]
    assert len(stretch) >= int(seconds * rate * 0.9), f"only {len(samples) / rate:.2f} s recorded"
    level = float(np.sqrt(np.mean(stretch**2)))
    assert level > 0.005, f"silence: rms {level:.5f}"
    assert abs(strongest_hz(stretch, rate) - hz) < 8
