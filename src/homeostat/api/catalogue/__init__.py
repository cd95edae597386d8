"""The kinds that an API server serves, and all that is derived of them, as one immutable value.

`Catalogue.builtin()` has the kinds of Kubernetes v1.36, `with_definitions` adds kinds defined at run time. Nothing
outside this package enumerates kinds or caches by kind. Pure.
"""

from homeostat.api.catalogue.catalogue import Catalogue as Catalogue
from homeostat.api.catalogue.resource import Resource as Resource
