"""AnalyticsService and EventService: numbers, logs, and the live tail."""
