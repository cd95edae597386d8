"""What a Pod requests of its node, read from its spec: environment, downward values, refusals; and what runs of it."""
