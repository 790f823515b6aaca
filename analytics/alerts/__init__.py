"""Alerts: what rules and budgets see, and what becomes of their alerts."""
