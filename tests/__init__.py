"""Tests mirror the rooms; `servers` holds loopback platforms, `bench` the measurements."""
