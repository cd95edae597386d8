"""A cluster on one machine: topology, supervisor, certificates, kubeconfig."""
