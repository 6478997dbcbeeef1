-- Purpose: by whom of those that are shown each output was written, as a digest of their keys, as the lists have it.
-- Parameters: levels; user_status; profile_types.
-- Row count: outputs that somebody wrote who is shown.
insert into passing (output, digest)
select r.output, md5(string_agg(distinct r.author, ' ' order by r.author))::uuid
from relationship r join author a on a.key = r.author
where a.level = any(%(levels)s)
    and person_withheld(%(user_status)s, %(profile_types)s, a.is_current, a.is_academic, a.is_student) is null
    and not exists (select from refusal f where f.entity = 'author' and f.record = a.record)
group by r.output
