"""Programs nobody here wrote, each started, driven and ended by one module."""
