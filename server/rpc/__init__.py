"""What wraps every RPC, and what all services share."""
