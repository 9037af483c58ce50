-- The staged rows of this night, for the dates that it publishes.
SELECT
    customernumber, customername, businessunit, department, costcenter, traffictype, calltype,
    mcc, mnc, country, data_usage_in_mb, data_usage_in_kb, voice_usage_in_secs,
    voice_usage_in_mins, sms_usage, whole_sale_cost_1, whole_sale_cost_2, whole_sale_cost_3,
    whole_sale_cost_4, whole_sale_cost_5, tadigcode, apn, technologytype, sim, sim_type, msisdn,
    vin, calldate, noofcdrids, partition_date
FROM {{ table("traffic_aggr_adhoc_staging", [run_key]) }}
WHERE run_key = {{ run_key }}
  AND partition_date IN ({{ dates }})
