// node-redis in both protocols: node node_redis.mjs PORT; prints "done" when all is as it should be.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { createClient } = createRequire(`${process.cwd()}/`)("redis");
const socket = { port: Number(process.argv[2]), host: "127.0.0.1", reconnectStrategy: () => 50 };

for (const RESP of [2, 3]) {
  const client = createClient({ socket, RESP });
  const other = client.duplicate();
  for (const one of [client, other]) one.on("error", () => {});
  await Promise.all([client.connect(), other.connect()]);
  await client.flushAll();

  // Pipelines, transactions, and WATCH.
  assert.deepEqual(await Promise.all([client.set("a", "1"), client.incr("a"), client.get("a")]), ["OK", 2, "2"]);
  assert.deepEqual(await client.multi().hSet("h", { f: "v" }).hGetAll("h").exec(), [1, { __proto__: null, f: "v" }]);
  await client.watch("a");
  await other.set("a", "5");
  await assert.rejects(client.multi().get("a").exec());
  assert.deepEqual(await client.zAdd("z", [{ score: 1.5, value: "x" }]), 1);
  assert.deepEqual(await client.zRangeWithScores("z", 0, -1), [{ value: "x", score: 1.5 }]);

  // Scripts and functions.
  assert.equal(await client.eval("return ARGV[1] .. KEYS[1]", { keys: ["k"], arguments: ["v"] }), "vk");
  await client.functionLoad("#!lua name=l\nredis.register_function('f', function() return 7 end)", { REPLACE: true });
  assert.equal(await client.fCall("f", { keys: [], arguments: [] }), 7);

  // Messages.
  const listener = client.duplicate();
  listener.on("error", () => {});
  await listener.connect();
  let hear;
  const heard = new Promise((resolve) => (hear = resolve));
  await listener.subscribe("news", (message, channel) => hear([message, channel]));
  assert.equal(await client.publish("news", "hello"), 1);
  assert.deepEqual(await heard, ["hello", "news"]);

  // Blocking, and streams.
  const popped = other.blPop("list", 30);
  await client.rPush("list", "x");
  assert.deepEqual({ ...(await popped) }, { key: "list", element: "x" });
  const id = await client.xAdd("stream", "*", { field: "value" });
  await client.xGroupCreate("stream", "group", "0");
  const streams = await client.xReadGroup("group", "me", { key: "stream", id: ">" }, { COUNT: 1 });
  if (RESP === 2) assert.equal(streams[0].messages[0].id, id);
  else assert.deepEqual(streams.stream, [[id, ["field", "value"]]]);
  assert.equal(await client.xAck("stream", "group", id), 1);

  // A connection that is lost comes back.
  await client.sendCommand(["CLIENT", "KILL", "ID", String(await other.sendCommand(["CLIENT", "ID"]))]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await other.get("a"), "5");
  for (const one of [client, other, listener]) one.destroy();
}
console.log("done");
