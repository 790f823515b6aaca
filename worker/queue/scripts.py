"""What Redis runs in one step for a worker, in Lua.

Redis refuses writes when its memory is full, although a worker that drains the queue is the cure. Each script
may therefore run then, too (``allow-oom``): what it writes is small, or replaces what is deleted next.
"""

from __future__ import annotations

from typing import Final

JOIN: Final = """#!lua flags=allow-oom
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
return redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[2])
"""
"""Makes the group where it does not exist, and sets the alive key.

Keys: stream, alive key. Arguments: group, milliseconds, what the worker waits for.
"""

BEAT: Final = """#!lua flags=allow-oom
return redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
"""
"""Sets the alive key.

Keys: alive key. Arguments: milliseconds, what the worker waits for.
"""

PROMOTE: Final = """#!lua flags=allow-oom
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, member in ipairs(due) do
    redis.call('XADD', KEYS[2], '*', 'data', string.sub(member, ARGV[2] + 1))
    redis.call('ZREM', KEYS[1], member)
end
return #due
"""
"""Appends delayed messages of version 0.2.0 that are due; it kept them outside the stream.

Keys: delayed messages, stream. Arguments: now, length of the id that members begin with.
"""

DELAY: Final = """#!lua flags=allow-oom
local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID')
if #claimed == 0 then return 0 end
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[5])
redis.call('HDEL', KEYS[4], ARGV[3])
return 1
"""
"""Lets an entry wait for its retry where it is: in the stream, held by a consumer that never lives.

One that ended in an error has not killed its worker, so its isolated runs are forgotten. Repeating changes
nothing.

Keys: stream, retries, attempts, runs. Arguments: group, consumer that holds what waits, entry id, when it is
due, its attempts.
"""

TAKE_DUE: Final = """#!lua flags=allow-oom
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[4], 'LIMIT', 0, ARGV[5])
if #ids > 0 then
    redis.call('ZREM', KEYS[2], unpack(ids))
elseif redis.call('EXISTS', KEYS[2]) == 0 then
    for position, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[5], ARGV[2])) do
        ids[position] = entry[1]
    end
end
if #ids == 0 then return {} end
local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, unpack(ids))
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return claimed
"""
"""Gives entries whose retry is due to a consumer. Where the set of retries was lost, all that wait are due.

Keys: stream, retries. Arguments: group, consumer that holds what waits, new consumer, now, how many at most.
"""

SETTLE: Final = """#!lua flags=allow-oom
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
"""
"""Acknowledges and deletes an entry.

Keys: stream, runs, attempts, retries. Arguments: group, entry id.
"""

REPLACE: Final = """#!lua flags=allow-oom
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
for piece = 3, #ARGV do
    redis.call('XADD', KEYS[1], '*', 'data', ARGV[piece])
end
return #ARGV - 2
"""
"""Deletes an entry as SETTLE does, and appends its pieces. One that is not pending was replaced before.

Keys: stream, runs, attempts. Arguments: group, entry id, pieces.
"""

NOTE_RUNS: Final = """#!lua flags=allow-oom
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""
"""Notes how often a suspect was begun alone.

Keys: runs. Arguments: entry id, count.
"""

TAKE_OVER: Final = """#!lua flags=allow-oom
if redis.call('EXISTS', KEYS[2]) == 1 then return {} end
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[4], ARGV[2])
if #pending == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return {}
end
local ids = {}
for position, entry in ipairs(pending) do ids[position] = entry[1] end
return redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, unpack(ids))
"""
"""Gives entries of a dead consumer to another, or removes the consumer when it holds none.

In one step: of several workers that see it dead, each takes what the others have not, and a consumer that
woke up and fetched in between is not removed with what it holds.

Keys: stream, alive key of the dead. Arguments: group, dead consumer, new consumer, how many at most.
"""

LEAVE: Final = """#!lua flags=allow-oom
redis.call('DEL', KEYS[2])
for position = 4, #ARGV do
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[position], 'RETRYCOUNT', 0, 'JUSTID')
end
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return 1
"""
"""Deletes the alive key, hands entries back, and removes the consumer when it holds no others.

Keys: stream, alive key. Arguments: group, consumer, consumer that holds what is handed back, entry ids.
"""

OLDEST: Final = """#!lua flags=no-writes
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return first[1] and first[1][1]
"""
"""Returns the id of the first entry, and not its payload.

Keys: stream.
"""
