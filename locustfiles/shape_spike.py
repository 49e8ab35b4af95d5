"""The shape *spike*, beside a scenario: ``locust -f locustfiles/scenario_cache.py,locustfiles/shape_spike.py``."""

from locustfiles.kedis_shape import KedisShape
from locustfiles.shapes import spike


class Spike(KedisShape):
    __doc__ = spike.__doc__
    function = staticmethod(spike)
