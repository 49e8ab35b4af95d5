"""Response times to the microsecond in Locust's statistics.

Locust keeps a count for each rounded response time, and rounds to whole milliseconds below 100 ms: everything that a
store in memory does would be 0 or 1.  ``locust.stats.bucket_response_time`` is the place that its documentation
("Customizing response time bucketing") names for another rounding.  Here: three digits or more, and never finer than
a microsecond, so that there are at most about 900 counts for each power of ten.
"""

from __future__ import annotations


def bucket_response_time(milliseconds: float) -> float:
    """The response time that is counted: within 0.5 % of the true one, or half a microsecond."""
    if milliseconds < 1:
        return round(milliseconds, 3)
    if milliseconds < 10:
        return round(milliseconds, 2)
    if milliseconds < 100:
        return round(milliseconds, 1)
    digits = -max(0, len(str(int(milliseconds))) - 3)
    return float(round(milliseconds, digits))


def install() -> None:
    """From now on Locust counts like this.  Imported here, because importing Locust changes the whole process."""
    import locust.stats

    locust.stats.bucket_response_time = bucket_response_time  # type: ignore[assignment]
