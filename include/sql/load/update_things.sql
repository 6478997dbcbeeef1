-- Purpose: updates outputs, authors or departments whose fingerprint changed.
-- Parameters: entity, institution, import_id. Identifiers: published, desired; assignments, the columns and their new values.
-- Row count: things updated.
update {published} t set {assignments}, changed_by = %(import_id)s
from {desired} n join delta d on d.entity = %(entity)s and d.action = 'update' and d.key = n.key
where t.institution = %(institution)s and t.key = n.key
