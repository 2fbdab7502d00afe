"""How it is deployed: every file is checked by its own tool, every command in it is run."""
