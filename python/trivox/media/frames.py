"""Frames of received audio, and samples given to be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.errors import InvalidArgumentsError
from trivox.media.native_engine import AudioFrame

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["AudioFrame", "pcm_bytes"]


def pcm_bytes(samples: Buffer) -> bytes:
    """Return samples as int16 little-endian bytes.

    Args:
        samples: bytes of int16, or a contiguous int16 or float32 buffer (full scale is 1.0), mono.

    Raises:
        InvalidArgumentsError: Another item format, or half a sample.
    """
    try:
        view = memoryview(samples)
    except TypeError:
        raise InvalidArgumentsError(
            f"samples are {type(samples).__name__}; give bytes of int16, or a buffer of int16 or "
            "float32"
        ) from None
    if view.format in {"h", "<h", "B", "b", "c"}:
        data = view.tobytes()
    elif view.format in {"f", "<f"}:
        data = _from_floats(view)
    else:
        raise InvalidArgumentsError(
            f"samples have the format {view.format!r}; give int16 or float32, or bytes of int16"
        )
    if len(data) % 2:
        raise InvalidArgumentsError("int16 samples have an even number of bytes")
    return data


def _from_floats(view: memoryview) -> bytes:
    flat = view if view.ndim == 1 else view.cast("B").cast("f")
    scaled = (max(-32768, min(32767, round(value * 32767))) for value in flat)
    return b"".join(value.to_bytes(2, "little", signed=True) for value in scaled)
