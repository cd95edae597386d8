"""What several components need: where they run, leader election, health, certificates, etcd."""
