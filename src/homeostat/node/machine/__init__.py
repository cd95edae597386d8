"""The node itself: its Node object and heartbeat, its certificates, its static Pods, facts of the host."""
