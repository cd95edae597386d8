"""What more than one runtime uses: addresses of pods, the stream of events, probes over the network."""
