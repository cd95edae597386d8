"""Admission: what every write passes between authorization and validation, one file a plugin.

A plugin changes the new object (`mutate`) or refuses it (`validate`); it reads through `contract.Reader` alone, and
none but `service_addresses` writes.
"""
