-- Purpose: sets aside what an earlier attempt of a part read before the part began again from the front.
-- Identifiers: table, one staged table with a record number.
-- Row count: rows of attempts that no longer count.
delete from {table} r
using part p
where p.number = r.record >> 50 and p.attempt <> (r.record >> 42) & 255
