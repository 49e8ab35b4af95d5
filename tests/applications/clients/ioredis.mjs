// ioredis, or iovalkey, which has its interface: node ioredis.mjs PORT PACKAGE; prints "done" when all is as it should be.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [port, name] = [Number(process.argv[2]), process.argv[3]];
const exported = createRequire(`${process.cwd()}/`)(name);
const Redis = exported.default ?? exported.Redis ?? exported;
const options = { port, host: "127.0.0.1", retryStrategy: () => 50 };
const redis = new Redis(options);
const other = new Redis(options);
await redis.flushall();

// Pipelines and transactions.
const replies = await redis.pipeline().set("a", 1).incr("a").lpush("a", "x").get("a").exec();
assert.deepEqual(replies.map(([error, value]) => error?.message.split(" ")[0] ?? value), ["OK", 2, "WRONGTYPE", "2"]);
assert.deepEqual(await redis.multi().hset("h", { f: "v", g: "w" }).hgetall("h").exec(), [[null, 2], [null, { f: "v", g: "w" }]]);
assert.deepEqual(await redis.mgetBuffer("a", "nothing"), [Buffer.from("2"), null]);

// Scripts: EVALSHA at first, EVAL after NOSCRIPT.
redis.defineCommand("add", { numberOfKeys: 1, lua: "return redis.call('incrby', KEYS[1], ARGV[1])" });
assert.equal(await redis.add("a", 40), 42);
assert.equal(await redis.add("a", 1), 43);

// Messages, by channel and by pattern.
const heard = new Promise((resolve) => {
  const found = [];
  const hear = (...words) => found.push(words) === 2 && resolve(found);
  other.on("message", hear);
  other.on("pmessage", hear);
});
await other.subscribe("news");
await other.psubscribe("n*");
assert.equal(await redis.publish("news", "hello"), 2);
assert.deepEqual(await heard, [["news", "hello"], ["n*", "news", "hello"]]);
await other.unsubscribe("news");
await other.punsubscribe("n*");

// Blocking, and keys by cursor.
const popped = other.blpop("list", 30);
await redis.rpush("list", "x");
assert.deepEqual(await popped, ["list", "x"]);
await redis.mset(Object.fromEntries([...Array(500).keys()].map((number) => [`key ${number}`, number])));
const keys = new Set();
for await (const page of redis.scanStream({ match: "key *", count: 100 })) page.forEach((key) => keys.add(key));
assert.equal(keys.size, 500);

// Streams.
const id = await redis.xadd("stream", "*", "field", "value");
await redis.xgroup("CREATE", "stream", "group", "0");
const [[, entries]] = await redis.xreadgroup("GROUP", "group", "me", "STREAMS", "stream", ">");
assert.deepEqual(entries, [[id, ["field", "value"]]]);
assert.equal(await redis.xack("stream", "group", id), 1);

// A connection that is lost comes back, with its subscriptions.
await other.subscribe("later");
const again = new Promise((resolve) => other.once("ready", resolve));
assert.ok(await redis.call("CLIENT", "KILL", "TYPE", "pubsub") >= 1);
await again;
while ((await redis.publish("later", "x")) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
await redis.quit();
other.disconnect();
console.log("done");
