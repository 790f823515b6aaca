"""Sending notices about alerts: what they look like, and the ways they go."""
