"""What an order is followed by: templates, policies, parties, credits."""
