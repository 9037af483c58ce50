-- What the aggregation must neither lose nor double.
SELECT
    SUM(retailduration) AS voice_usage_in_secs,
    SUM(sms_usage) AS sms_usage,
    SUM(whole_sale_cost_1) AS whole_sale_cost_1,
    SUM(whole_sale_cost_2) AS whole_sale_cost_2,
    SUM(whole_sale_cost_3) AS whole_sale_cost_3,
    SUM(whole_sale_cost_4) AS whole_sale_cost_4,
    SUM(whole_sale_cost_5) AS whole_sale_cost_5
FROM {{ table("traffic_details_raw_daily_with_no_dups", dates) }}
WHERE partition_date IN ({{ dates }})
  AND COALESCE(rejectcode, '') = ''
