"""The shape *steps*, beside a scenario: ``locust -f locustfiles/scenario_cache.py,locustfiles/shape_steps.py``."""

from locustfiles.shapes import KedisShape, steps


class Steps(KedisShape):
    __doc__ = steps.__doc__
    function = staticmethod(steps)
