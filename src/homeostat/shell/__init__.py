"""What a person types on a node: `docker`, `crictl`, `systemctl`, `journalctl`, `iptables`, and what passes through.

Each tool speaks as its namesake does (words, columns, exit codes) over what a node has: containerd and our own init.
Their start-up is a feature, so a module imports what it needs when it needs it, and little at the top.
"""
