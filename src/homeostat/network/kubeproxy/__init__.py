"""The loops of a node whose kernel carries the rules: Services, the Pod network, load balancers' addresses."""
