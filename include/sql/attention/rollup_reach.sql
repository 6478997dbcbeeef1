-- Purpose: in which places a part counts: an author's there; departments', in these, in all above them, and in the institution.
-- Parameters: institution.
-- Row count: pairs.
insert into reach (part, place)
with recursive above as (
    select place, key, place as top from place where kind = 'department'
    union
    select a.place, p.key, p.place
    from above a
    join warehouse.department_parent d on d.institution = %(institution)s and d.department_key = a.key
    join place p on p.kind = 'department' and p.key = d.parent_key
)
select part, part from part where departments is null
union all
select part, place from part cross join place where departments is not null and kind = 'institution'
union all
select distinct p.part, a.top from part p cross join unnest(p.departments) as d (place) join above a on a.place = d.place
