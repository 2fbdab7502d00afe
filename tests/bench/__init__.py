"""Measurements, each run as `python -m tests.bench.NAME`."""
