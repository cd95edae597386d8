"""The store in etcd v3: the third implementation of `store.contract`, for several machines. Begin with `store`."""
