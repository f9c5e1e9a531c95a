"""`make machines`: two servers, two workers, a balancer; one of each is killed under load."""
