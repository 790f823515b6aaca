-- name: is_partitioned
SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(:table::text)

-- name: is_valid
SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name::text)

-- name: list_unattached
-- Partitions that have no part of the index.
SELECT leaf.relid::text AS partition
FROM pg_partition_tree(:table::text::regclass) AS leaf
WHERE leaf.isleaf AND NOT EXISTS (
    SELECT FROM pg_inherits AS i
    JOIN pg_index AS part ON part.indexrelid = i.inhrelid
    WHERE i.inhparent = to_regclass(:name::text) AND part.indrelid = leaf.relid
)
ORDER BY 1
