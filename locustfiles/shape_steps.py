"""The shape *steps*, beside a scenario: ``locust -f locustfiles/scenario_cache.py,locustfiles/shape_steps.py``."""

from locustfiles.kedis_shape import KedisShape
from locustfiles.shapes import steps


class Steps(KedisShape):
    __doc__ = steps.__doc__
    function = staticmethod(steps)
