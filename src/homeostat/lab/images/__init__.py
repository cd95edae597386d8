"""Images without internet: built from this machine's own files, kept once, and given to nodes.

`stock` says what is in the lab's images, `build.build` makes an archive of one; `reader` looks into any archive; `seed`
turns archives into a containerd root that nodes start from. Imports only `cluster` beside itself.
"""
