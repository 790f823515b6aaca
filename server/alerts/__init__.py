"""AlertService: rules, budgets, channels and alerts."""
