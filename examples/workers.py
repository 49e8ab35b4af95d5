"""multiprocessing: workers share a server by its address; a copy of a store is for each alone."""

import multiprocessing
import os

import redis

import kedis


def count(url):
    with redis.from_url(url) as client:
        for _ in range(100):
            client.incr("n")


def look_up(store, results):
    try:
        store.get("price")  # the parent's store, which a child cannot use
    except kedis.ForkedError:
        with store.fork() as own:  # its data, in memory
            results.put((own.get("price"), own.incr("n")))


if __name__ == "__main__":
    with kedis.Server() as server:
        workers = [multiprocessing.Process(target=count, args=(server.url,)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print("counted by four:", server.client().get("n").decode())

    if hasattr(os, "fork"):
        context = multiprocessing.get_context("fork")
        with kedis.connect(decode_responses=True) as store:
            store.set("price", 7)
            results = context.Queue()
            worker = context.Process(target=look_up, args=(store, results))
            worker.start()
            print("in a child:", *results.get())
            worker.join()
            print("in the parent:", store.get("price"), store.get("n"))
