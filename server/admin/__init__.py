"""AdminService and HealthService: what operators read and do."""
