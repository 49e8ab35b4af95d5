# ruby-redis: ruby ruby_redis.rb PORT; prints "done" when all is as it should be.

require "redis"

def same(found, expected)
  raise "#{found.inspect} is not #{expected.inspect}" unless found == expected
end

options = { host: "127.0.0.1", port: ARGV[0].to_i, timeout: 30 }
redis = Redis.new(options)
other = Redis.new(options)
redis.flushall
same redis.pipelined { |pipe| pipe.set("a", 1); pipe.incr("a"); pipe.get("nothing") }, ["OK", 2, nil]
same redis.multi { |unit| unit.hset("h", "f", "v"); unit.hgetall("h") }, [1, { "f" => "v" }]
same redis.eval("return {KEYS[1], ARGV[1]}", keys: ["k"], argv: ["v"]), %w[k v]
same redis.evalsha(redis.script(:load, "return 7")), 7
same redis.zadd("z", 1.5, "x"), true
same redis.zrange("z", 0, -1, with_scores: true), [["x", 1.5]]
blocked = Thread.new { other.blpop("list", timeout: 30) }
redis.rpush("list", "x")
same blocked.value, %w[list x]
id = redis.xadd("stream", { "field" => "value" })
redis.xgroup(:create, "stream", "group", "0")
same redis.xreadgroup("group", "me", "stream", ">"), { "stream" => [[id, { "field" => "value" }]] }
same redis.xack("stream", "group", id), 1
redis.mset(*(1..300).flat_map { |number| ["key #{number}", number] })
same redis.scan_each(match: "key *").to_a.uniq.size, 300
heard = nil
listener = Thread.new do
  subscriber = Redis.new(options)
  subscriber.subscribe("news") do |on|
    on.message { |channel, message| heard = [channel, message]; subscriber.unsubscribe("news") }
  end
end
sleep 0.02 until redis.publish("news", "hello") == 1
listener.join
same heard, %w[news hello]
redis.call("CLIENT", "KILL", "ID", other.call("CLIENT", "ID"))
same other.get("a"), "2"
puts "done"
