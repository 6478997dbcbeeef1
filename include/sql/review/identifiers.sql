-- Purpose: identifiers of the outputs that should be published; stated by any of their records counts as stated.
-- Row count: identifiers.
insert into desired_output_identifier (output_key, scheme, value, derived)
select r.key, i.scheme, i.value, bool_and(i.derived)
from published_record r join output_identifier i using (record)
group by r.key, i.scheme, i.value
