"""The shape *spike*, beside a scenario: ``locust -f locustfiles/scenario_cache.py,locustfiles/shape_spike.py``."""

from locustfiles.shapes import KedisShape, spike


class Spike(KedisShape):
    __doc__ = spike.__doc__
    function = staticmethod(spike)
