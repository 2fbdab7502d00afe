"""Chat platforms: each module here is one `core.protocols.Bot`.

A bot brings messages in (`listen`), shows replies (`deliver`) and fetches recordings
(`fetch`); everything else is core's affair. Bots never import each other, nor a model SDK
or a database driver; `bots.__main__` puts them together. `bots.console` is the smallest
one, and the template for a new platform.
"""
