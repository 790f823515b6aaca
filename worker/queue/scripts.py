"""What Redis runs in one step for a worker, in Lua.

Redis refuses writes when its memory is full, although a worker that drains the queue is the cure. Each script
may therefore run then, too (``allow-oom``): what it writes is small, or replaces what is deleted next.
"""

from __future__ import annotations

from typing import Final

JOIN: Final = """#!lua flags=allow-oom
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
return redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
"""
"""Makes the group where it does not exist, and sets the alive key.

Keys: stream, alive key. Arguments: group, milliseconds.
"""

BEAT: Final = """#!lua flags=allow-oom
return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
"""
"""Sets the alive key.

Keys: alive key. Arguments: milliseconds.
"""

PROMOTE: Final = """#!lua flags=allow-oom
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, member in ipairs(due) do
    redis.call('XADD', KEYS[2], '*', 'data', string.sub(member, ARGV[2] + 1))
    redis.call('ZREM', KEYS[1], member)
end
return #due
"""
"""Appends delayed messages that are due.

Keys: delayed messages, stream. Arguments: now, length of the id that members begin with.
"""

DELAY: Final = """#!lua flags=allow-oom
return redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
"""
"""Adds a delayed message.

Keys: delayed messages. Arguments: when it is due, id and message.
"""

SETTLE: Final = """#!lua flags=allow-oom
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
"""
"""Acknowledges and deletes an entry.

Keys: stream, runs. Arguments: group, entry id.
"""

REPLACE: Final = """#!lua flags=allow-oom
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
for piece = 3, #ARGV do
    redis.call('XADD', KEYS[1], '*', 'data', ARGV[piece])
end
return #ARGV - 2
"""
"""Deletes an entry as SETTLE does, and appends its pieces. One that is not pending was replaced before.

Keys: stream, runs. Arguments: group, entry id, pieces.
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
