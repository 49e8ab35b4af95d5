"""The process around Kedis: real threads under gevent's monkey patch, and the limits of a forked child."""
