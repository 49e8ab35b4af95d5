"""The shape *wave*, beside a scenario: ``locust -f locustfiles/scenario_cache.py,locustfiles/shape_wave.py``."""

from locustfiles.shapes import KedisShape, wave


class Wave(KedisShape):
    __doc__ = wave.__doc__
    function = staticmethod(wave)
