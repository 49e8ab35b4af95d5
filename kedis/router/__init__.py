"""The router: Kedis's port in front of a Redis or Valkey Cluster, a single server or a Sentinel group.

The parts without sockets: :mod:`kedis.router.hash_slots`, :mod:`kedis.router.topology`,
:mod:`kedis.router.upstream_url`, :mod:`kedis.resp.reply_framing`, :mod:`kedis.router.redirection`,
:mod:`kedis.router.planning`, :mod:`kedis.router.joining`. Those with: :mod:`kedis.router.upstream_pipe` (one
connection to a node), :mod:`kedis.router.fleet` (all of them), :mod:`kedis.router.waiting_connection`,
:mod:`kedis.router.own_connection` and :mod:`kedis.router.routed_connection` (a client, in three layers).

The way of a request: the client's connection parses it, the engine admits it (arity, AUTH, ACL), the plan of its
command names the shard, its bytes are appended to a pipe of that shard, and one send per pipe and turn carries the
requests of all clients. Replies are framed, not parsed, and passed on in the order of the client's requests.
"""
