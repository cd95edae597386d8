"""Pod Security Standards as pure data and functions: levels, namespace policies, and one check per control.

Start at `evaluate.evaluate`. Nothing here reads the cluster; `apiserver.admission.pod_security` does.
"""
