"""Rules of the Kubernetes API that several rooms apply, each written once. Pure: no I/O, no clock, no chance."""
