"""Benchmarks: what pyhost costs beside its peers. Nothing here is a test; `make bench` prints."""
