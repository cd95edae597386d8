"""The node's container engine as `docker` and `crictl` need it: calls, one look at what runs, docker's names, forms."""
