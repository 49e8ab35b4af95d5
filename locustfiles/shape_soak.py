"""The shape *soak*, beside a scenario: ``locust -f locustfiles/scenario_cache.py,locustfiles/shape_soak.py``."""

from locustfiles.kedis_shape import KedisShape
from locustfiles.shapes import soak


class Soak(KedisShape):
    __doc__ = soak.__doc__
    function = staticmethod(soak)
