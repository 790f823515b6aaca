"""Compiled modules, which are there only where they could be built (docs/decisions/0010-compiled.md)."""
