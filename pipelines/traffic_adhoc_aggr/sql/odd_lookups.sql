-- Keys of the calls that a lookup does not know, and keys that a lookup has twice: how many keys,
-- how many rows, and one of the keys.
SELECT 'unknown organisation' AS kind, COUNT(DISTINCT calls.tcl_secs_id) AS keys_found,
    COUNT(*) AS rows_found, CAST(MIN(calls.tcl_secs_id) AS STRING) AS example
FROM {{ table("traffic_details_raw_daily_with_no_dups", dates) }} calls
LEFT JOIN {{ table("org_details") }} organisations ON calls.tcl_secs_id = organisations.orgno
WHERE calls.partition_date IN ({{ dates }}) AND COALESCE(calls.rejectcode, '') = ''
  AND organisations.orgno IS NULL
UNION ALL
SELECT 'unknown country' AS kind, COUNT(DISTINCT calls.mcc) AS keys_found,
    COUNT(*) AS rows_found, MIN(calls.mcc) AS example
FROM {{ table("traffic_details_raw_daily_with_no_dups", dates) }} calls
LEFT JOIN {{ table("country_lookup") }} countries ON calls.mcc = countries.mcc
WHERE calls.partition_date IN ({{ dates }}) AND COALESCE(calls.rejectcode, '') = ''
  AND countries.mcc IS NULL
UNION ALL
SELECT 'organisation listed more than once' AS kind, COUNT(*) AS keys_found,
    SUM(listed) AS rows_found, CAST(MIN(orgno) AS STRING) AS example
FROM (
    SELECT orgno, COUNT(*) AS listed FROM {{ table("org_details") }} GROUP BY orgno
) organisations WHERE listed > 1
UNION ALL
SELECT 'country listed more than once' AS kind, COUNT(*) AS keys_found,
    SUM(listed) AS rows_found, MIN(mcc) AS example
FROM (
    SELECT mcc, COUNT(*) AS listed FROM {{ table("country_lookup") }} GROUP BY mcc
) countries WHERE listed > 1
