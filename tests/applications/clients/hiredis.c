/* hiredis in C: ./hiredis PORT; prints "done" when all is as it should be. */

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef NDEBUG

static redisReply *checked(redisContext *context, redisReply *reply, int type) {
    if (reply == NULL || reply->type != type) {
        fprintf(stderr, "%s\n", reply ? reply->str ? reply->str : "another type" : context->errstr);
        exit(1);
    }
    return reply;
}

static redisReply *next(redisContext *context, int type) {
    redisReply *reply = NULL;
    redisGetReply(context, (void **)&reply);
    return checked(context, reply, type);
}

int main(int count, char **words) {
    int port = count > 1 ? atoi(words[1]) : 6379;
    struct timeval patience = {30, 0};
    redisContext *context = redisConnectWithTimeout("127.0.0.1", port, patience);
    redisContext *other = redisConnectWithTimeout("127.0.0.1", port, patience);
    assert(context && !context->err && other && !other->err);
    checked(context, redisCommand(context, "FLUSHALL"), REDIS_REPLY_STATUS);

    /* Pipelines, binary values, errors, nil. */
    redisAppendCommand(context, "SET %s %b", "key", "a\0b", (size_t)3);
    redisAppendCommand(context, "GET key");
    redisAppendCommand(context, "INCR key");
    redisAppendCommand(context, "GET nothing");
    next(context, REDIS_REPLY_STATUS);
    redisReply *value = next(context, REDIS_REPLY_STRING);
    assert(value->len == 3 && memcmp(value->str, "a\0b", 3) == 0);
    next(context, REDIS_REPLY_ERROR);
    next(context, REDIS_REPLY_NIL);

    /* A script, a stream, a transaction. */
    redisReply *sum = redisCommand(context, "EVAL %s 1 n 41", "return redis.call('incrby', KEYS[1], ARGV[1]) + 1");
    assert(checked(context, sum, REDIS_REPLY_INTEGER)->integer == 42);
    checked(context, redisCommand(context, "XADD stream 1-1 field value"), REDIS_REPLY_STRING);
    assert(checked(context, redisCommand(context, "XRANGE stream - +"), REDIS_REPLY_ARRAY)->elements == 1);
    checked(context, redisCommand(context, "MULTI"), REDIS_REPLY_STATUS);
    checked(context, redisCommand(context, "LPUSH list x"), REDIS_REPLY_STATUS);
    assert(checked(context, redisCommand(context, "EXEC"), REDIS_REPLY_ARRAY)->elements == 1);

    /* Blocking, messages. */
    assert(checked(other, redisCommand(other, "BLPOP list 30"), REDIS_REPLY_ARRAY)->elements == 2);
    checked(other, redisCommand(other, "SUBSCRIBE news"), REDIS_REPLY_ARRAY);
    assert(checked(context, redisCommand(context, "PUBLISH news hello"), REDIS_REPLY_INTEGER)->integer == 1);
    assert(strcmp(next(other, REDIS_REPLY_ARRAY)->element[2]->str, "hello") == 0);

    /* Reconnecting. */
    checked(context, redisCommand(context, "CLIENT KILL TYPE pubsub"), REDIS_REPLY_INTEGER);
    redisReply *lost = NULL;
    assert(redisGetReply(other, (void **)&lost) == REDIS_ERR);
    assert(redisReconnect(other) == REDIS_OK);
    checked(other, redisCommand(other, "PING"), REDIS_REPLY_STATUS);
    redisFree(context);
    redisFree(other);
    puts("done");
    return 0;
}
