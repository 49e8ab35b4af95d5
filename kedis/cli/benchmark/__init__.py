"""``kedis-benchmark``, the wind tunnel: load on a Redis-compatible server, and what came of it.

A run, from the command line to the table::

    options      words of the command line          -> Options
    templates    "get:80,set:15" + key numbers      -> requests and the replies to expect
    workload     requests, encoded beforehand       -> batches, cycled through by all connections
    driver       one epoll loop over raw sockets    -> a Measurement
    processes    the same from several processes    -> one Measurement
    runs         connection counts, servers in turn -> rows as they finish
    report       rows                               -> table, JSON, CSV;  plot: PNG, SVG

The load generator must not be what is measured.  Nothing is formatted or chosen at random while the clock runs: a
batch is sent, the reply is compared with the bytes expected, the time goes into a histogram cell.  Only a reply that
differs is parsed.  ``histogram`` and ``plot`` know nothing of the rest, and other load tools may use them.

Simplified: at most 262,144 requests (or 64 MB of them) are prepared and then repeated, so a run that is longer asks
for the same keys again.  Each connection waits for all replies of a batch before it sends the next one, as
redis-benchmark does.
"""
