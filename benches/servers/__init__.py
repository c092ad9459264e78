"""The systems under test, each a process of its own that prints its port."""
