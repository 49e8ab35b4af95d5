"""Two ways to test it: on a store in the process, and on a real server."""

import cart
import pytest
import redis

import kedis


@pytest.fixture
def patch():
    """Clients that the program has made, or makes, use an empty store in the process."""
    with kedis.patch() as patch:
        yield patch


@pytest.mark.parametrize("turn", [1, 2])
def test_in_the_process(patch, turn):
    assert cart.add("ann", "apple") == 1  # each test begins with nothing
    assert cart.add("ann", "apple", 2) == 3
    assert cart.articles("ann") == {"apple": 3}
    assert patch.client().ttl("cart:ann") == 3600


@pytest.mark.kedis(decode_responses=True)
def test_on_a_server(kedis_server, kedis_client, monkeypatch):
    monkeypatch.setattr(cart, "client", redis.from_url(kedis_server.url, decode_responses=True))
    cart.add("bob", "pear")
    assert kedis_client.hgetall("cart:bob") == {"pear": "1"}
