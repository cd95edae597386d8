"""What several components need: where they run, leading, health, certificates, etcd."""
