-- Purpose: how many things each privacy rule dropped, the most first; never the things.
-- Parameters: import_id.
-- Row count: rules that dropped something.
select entity, rule, dropped from ops.privacy_drop
where import_id = %(import_id)s and dropped > 0
order by array_position(array['output', 'author', 'department'], entity), dropped desc, rule
