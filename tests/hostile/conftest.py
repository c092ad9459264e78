"""What must be true of the log of every hostile test."""

from __future__ import annotations

import logging

import pytest

from .corpus import SECRET


@pytest.fixture
def clean_log(caplog):
    """Fail a test whose log holds a traceback, a raw control byte or a secret."""
    caplog.set_level(logging.DEBUG)
    yield
    for when in ("setup", "call"):
        for record in caplog.get_records(when):
            text = record.getMessage()
            assert record.exc_info is None, f"a traceback was logged: {text}\n{record.exc_text}"
            assert record.levelno < logging.ERROR, f"an error was logged: {text}"
            assert text.isprintable(), f"raw control bytes in the log: {text!r}"
            assert SECRET not in text, f"a secret in the log: {text}"
