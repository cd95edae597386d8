"""The runtime over the CRI (v1): containerd, or any other engine behind a CRI socket.

[cri_runtime](cri_runtime.py) is the contract's implementation; [channel](channel.py) is how it calls;
[requests](requests.py) and [answers](answers.py) translate the contract's data to the interface's messages and back,
purely; [event_watch](event_watch.py) turns what the engine reports into events.
[containerd_config](containerd_config.py) writes a configuration for containerd. Only processes that run containers in
an engine import this package: it brings gRPC.
"""
