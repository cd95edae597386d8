"""What the network loops watch: Services, EndpointSlices and Nodes."""
