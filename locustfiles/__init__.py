"""Load on Kedis, or any Redis, with Locust: people's uses of it, whose answers are checked and whose latency is timed.

    scenario_*   who the users are: cache, sessions, leaderboard, queue, transactions, mixed
    shape_*      how many there are at each moment: steps, spike, soak, wave
    kedis_user   what all users share: a client that measures, checks, options of the command line
    measured_client, rounding, objectives, exporter, server_metrics   its parts
    kedis_shape, shapes   the same of the shapes

A scenario is a locustfile, and a shape can stand beside it; run them from the folder above::

    make load SCENARIO=mixed SHAPE=steps                                        headless, with reports
    locust -f locustfiles/scenario_mixed.py                                     the web page
    locust -f locustfiles/scenario_mixed.py,locustfiles/shape_wave.py --headless

Locust imports a locustfile under its bare name and with its folder in front of the path, so none of these files bears
the name of a module of the standard library (such as ``queue``, ``wave``, ``statistics``).
"""
