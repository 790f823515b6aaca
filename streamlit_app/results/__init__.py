"""Answers of reports and SQL: what their columns hold, and how they can be drawn. No requests, no widgets."""
