"""Loopback servers that enforce the documented limits of the real ones."""
