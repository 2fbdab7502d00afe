"""What Causerie knows about conversations: their memory, their models and their limits.

`core` knows no chat platform. It sees the outside world through `core.protocols` and
speaks in the nouns of `core.types`; `core.relay` is the one path a message takes.
"""
