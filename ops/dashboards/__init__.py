"""Grafana's dashboards as code: ``boards`` says what is on them, ``build`` makes Grafana's JSON of that with its SDK,
``render`` draws them from the answers of a Prometheus, without Grafana.
"""
