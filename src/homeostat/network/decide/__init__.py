"""What the network is to be: pure plans from Services, EndpointSlices and Nodes, and the text of the rules."""
