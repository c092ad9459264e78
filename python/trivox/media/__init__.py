"""The media engine seen from Python."""
