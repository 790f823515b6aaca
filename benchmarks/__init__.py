"""Ours and a bare baseline in the same run, as JSON: on a shared machine only ratios are comparable."""
