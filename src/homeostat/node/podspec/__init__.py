"""What a Pod asks of its node, read from its spec: environment, downward values, refusals; and what runs of it."""
