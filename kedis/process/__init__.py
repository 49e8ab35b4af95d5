"""The process around Kedis: real threads under gevent's monkey patch, a forked child, frozen clocks, other systems."""
