"""What a cluster is, as data that operate, lab and compose share: nodes, certificates, files, folders."""
