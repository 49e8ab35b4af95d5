"""The process around Kedis: real threads under gevent's monkey patch, and what a forked child must not do."""
