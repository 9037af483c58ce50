-- One line per customer, service and date, for the listed dates.
-- The source is in minutes and MiB already: nothing is converted here.
SELECT
    tcl_secs_id,
    serv_abbr,
    SUM(mo_sms) AS mo_sms,
    SUM(mt_sms) AS mt_sms,
    COALESCE(SUM(mo_sms), 0) + COALESCE(SUM(mt_sms), 0) AS total_sms,
    CAST(SUM(mo_minutes) AS DECIMAL(20,4)) AS mo_minutes,
    CAST(SUM(mt_minutes) AS DECIMAL(20,4)) AS mt_minutes,
    CAST(COALESCE(SUM(mo_minutes), 0) + COALESCE(SUM(mt_minutes), 0) AS DECIMAL(20,4)) AS total_minutes,
    CAST(SUM(data_usage_mb) AS DECIMAL(20,4)) AS data_usage_mb,
    SUM(sms_users) AS sms_users,
    SUM(voice_users) AS voice_users,
    SUM(data_users) AS data_users,
    partition_date
FROM {{ table("usage_trend_daily_aggr", dates) }}
WHERE partition_date IN ({{ dates }})
GROUP BY tcl_secs_id, serv_abbr, partition_date
ORDER BY partition_date, tcl_secs_id, serv_abbr
