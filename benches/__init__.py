"""Measurements of trivox beside its peers: `python -m benches`, or `make bench`."""
