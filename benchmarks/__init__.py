"""Ours beside a bare baseline, in the same run, as JSON: ratios hold on a shared machine, times do not."""
