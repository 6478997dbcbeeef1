-- Purpose: takes the next free turn to ask a host, `gap` seconds behind the one before, whoever took that.
-- Parameters: host, gap.
-- Row count: 1: the seconds to wait.
insert into ops.turn as t (host, at) values (%(host)s, clock_timestamp())
on conflict (host) do update set at = greatest(clock_timestamp(), t.at + make_interval(secs => %(gap)s))
returning greatest(0, extract(epoch from at - clock_timestamp()))::float8
