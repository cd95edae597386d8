"""The parts of a simulated cluster: API servers, candidates and nodes that can die, and the links and store between."""
