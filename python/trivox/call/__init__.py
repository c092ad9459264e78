"""A call: its handle, its states, its events and its settings."""
