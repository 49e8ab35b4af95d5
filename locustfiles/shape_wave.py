"""The shape *wave*, beside a scenario: ``locust -f locustfiles/scenario_cache.py,locustfiles/shape_wave.py``."""

from locustfiles.kedis_shape import KedisShape
from locustfiles.shapes import wave


class Wave(KedisShape):
    __doc__ = wave.__doc__
    function = staticmethod(wave)
