"""The shape *soak*, beside a scenario: ``locust -f locustfiles/scenario_cache.py,locustfiles/shape_soak.py``."""

from locustfiles.shapes import KedisShape, soak


class Soak(KedisShape):
    __doc__ = soak.__doc__
    function = staticmethod(soak)
