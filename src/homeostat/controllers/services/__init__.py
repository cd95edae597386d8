"""The backends of Services: EndpointSlices, Endpoints, load balancer addresses."""
