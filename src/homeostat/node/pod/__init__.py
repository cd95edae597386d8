"""The worker of each Pod: performs what `decide` decided against the runtime."""
