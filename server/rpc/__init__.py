"""What every call passes, and what services of every kind share."""
