"""`systemctl`, `journalctl`, `service` and the power commands: the node's services through its init."""
