"""What goes with its owner: garbage collection, namespaces, ended Pods; and adoption."""
