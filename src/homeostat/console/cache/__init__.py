"""What is known of the cluster: one watch for each resource and namespace, shared by all who may see it."""
