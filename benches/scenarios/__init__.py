"""One module a scenario: each has `run() -> list[Row]`."""
