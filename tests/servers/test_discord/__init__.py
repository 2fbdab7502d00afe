"""The loopback Discord, driven by raw requests and by the real SDK."""
