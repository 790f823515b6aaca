"""What every process needs before it does anything: settings, logging. Knows no domain noun."""
