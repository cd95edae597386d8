"""What stands behind Services: EndpointSlices, Endpoints, load balancer addresses."""
