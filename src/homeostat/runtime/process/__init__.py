"""The runtime of plain processes of this machine: each container belongs to a shim, which this asks and watches."""
