-- The staged rows of this night, for the dates that it publishes.
SELECT
    tcl_secs_id,
    serv_abbr,
    mo_sms,
    mt_sms,
    total_sms,
    mo_minutes,
    mt_minutes,
    total_minutes,
    data_usage_mb,
    sms_users,
    voice_users,
    data_users,
    partition_date
FROM {{ table("table_statistics_customer_aggr_staging", [run_key]) }}
WHERE run_key = {{ run_key }}
  AND partition_date IN ({{ dates }})
