"""What is on a node that is a host: its root, files, images, init, services, sshd."""
