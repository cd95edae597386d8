"""What is deleted with its owner: garbage collection, namespaces, ended Pods; and adoption."""
