"""Reads what other products export, as the spans of OTLP that would have been sent here."""
