<?php
// php-redis: php php_redis.php PORT; prints "done" when all is as it should be.

function same($found, $expected) {
    if ($found !== $expected) throw new Exception(var_export($found, true) . " is not " . var_export($expected, true));
}

function client(): Redis {
    $client = new Redis();
    $client->connect("127.0.0.1", (int) $GLOBALS["argv"][1], 30);
    return $client;
}

$redis = client();
$redis->flushAll();
same($redis->set("a", "1", ["nx", "ex" => 100]), true);
same($redis->multi(Redis::PIPELINE)->incr("a")->get("a")->get("nothing")->exec(), [2, "2", false]);
same($redis->multi()->hMSet("h", ["f" => "v", "g" => "w"])->hGetAll("h")->exec(), [true, ["f" => "v", "g" => "w"]]);
same($redis->eval("return {KEYS[1], ARGV[1]}", ["k", "v"], 1), ["k", "v"]);
same($redis->evalSha(sha1("return {KEYS[1], ARGV[1]}"), ["k", "v"], 1), ["k", "v"]);
same($redis->zAdd("z", 1.5, "x"), 1);
same($redis->zRange("z", 0, -1, true), ["x" => 1.5]);
$redis->rPush("list", "x");
same($redis->blPop(["list"], 30), ["list", "x"]);
same($redis->blPop(["list"], 1), []);
$id = $redis->xAdd("stream", "*", ["field" => "value"]);
same($redis->xGroup("CREATE", "stream", "group", "0"), true);
same($redis->xReadGroup("group", "me", ["stream" => ">"]), ["stream" => [$id => ["field" => "value"]]]);
same($redis->xAck("stream", "group", [$id]), 1);
$redis->mSet(array_combine(array_map(fn($number) => "key $number", range(1, 300)), range(1, 300)));
$redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
for ($cursor = null, $keys = []; $page = $redis->scan($cursor, "key *"); ) $keys = array_merge($keys, $page);
same(count(array_unique($keys)), 300);
$redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
$redis->set("object", ["x" => [1, 2.5, null]]);
same($redis->get("object"), ["x" => [1, 2.5, null]]);
$redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_NONE);

// Messages: a second process listens, which nothing but a signal ends.
$words = [PHP_BINARY, "-r", '$redis = new Redis(); $redis->connect("127.0.0.1", (int) $argv[1]);
    $redis->subscribe(["news"], function ($redis, $channel, $message) { echo "$channel $message\n"; });', $argv[1]];
$listener = proc_open($words, [1 => ["pipe", "w"]], $pipes);
while (!$redis->publish("news", "hello")) usleep(20000);
same(fgets($pipes[1]), "news hello\n");
proc_terminate($listener, 9);
proc_close($listener);

// A lost connection comes back by itself.
$other = client();
$id = $redis->client("id") ?: $redis->rawCommand("CLIENT", "ID");
$other->rawCommand("CLIENT", "KILL", "ID", (string) $id);
same($redis->get("a"), "2");
echo "done\n";
