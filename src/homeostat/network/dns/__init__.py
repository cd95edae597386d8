"""Cluster DNS: what names mean is pure (`zone`), messages are bytes (`message`), and a server answers them."""
