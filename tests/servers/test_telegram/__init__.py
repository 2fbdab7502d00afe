"""The loopback Telegram, driven by the real SDK."""
