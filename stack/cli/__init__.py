"""The llm-observe command."""
