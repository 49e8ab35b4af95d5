"""Which form of the hot path runs: that in Cython where the native path is there, or that in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kedis import native

if TYPE_CHECKING or native.PATH == "python":
    from kedis.router.python_flow import Flow, Form, Lane, UpstreamRequest
else:
    from kedis.native.routing import Flow, Form, Lane, UpstreamRequest

__all__ = ["Flow", "Form", "Lane", "UpstreamRequest"]
