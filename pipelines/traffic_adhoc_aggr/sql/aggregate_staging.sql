-- Usage and wholesale costs per customer, SIM and day, one line for each set of values of all
-- columns that are not measures. A lookup with two rows for one key counts once.
SELECT
    customernumber,
    customername,
    businessunit,
    department,
    costcenter,
    traffictype,
    calltype,
    mcc,
    mnc,
    country,
    CAST(ROUND(SUM(bytes) / 1048576, 4) AS DECIMAL(20,4)) AS data_usage_in_mb,
    CAST(ROUND(SUM(bytes) / 1024, 4) AS DECIMAL(20,4)) AS data_usage_in_kb,
    SUM(retailduration) AS voice_usage_in_secs,
    CAST(ROUND(SUM(retailduration) / 60, 4) AS DECIMAL(20,4)) AS voice_usage_in_mins,
    SUM(sms_usage) AS sms_usage,
    CAST(SUM(whole_sale_cost_1) AS DECIMAL(20,4)) AS whole_sale_cost_1,
    CAST(SUM(whole_sale_cost_2) AS DECIMAL(20,4)) AS whole_sale_cost_2,
    CAST(SUM(whole_sale_cost_3) AS DECIMAL(20,4)) AS whole_sale_cost_3,
    CAST(SUM(whole_sale_cost_4) AS DECIMAL(20,4)) AS whole_sale_cost_4,
    CAST(SUM(whole_sale_cost_5) AS DECIMAL(20,4)) AS whole_sale_cost_5,
    tadigcode,
    apn,
    technologytype,
    sim,
    sim_type,
    msisdn,
    vin,
    calldate,
    COUNT(DISTINCT cdrid) AS noofcdrids,
    partition_date,
    {{ run_key }} AS run_key
FROM (
    SELECT
        calls.customernumber,
        COALESCE(organisations.orgname, '') AS customername,
        calls.businessunit,
        calls.department,
        calls.costcenter,
        calls.traffictype,
        calls.calltype,
        calls.mcc,
        calls.mnc,
        COALESCE(countries.country, calls.country) AS country,
        COALESCE(calls.bytes, 0) AS bytes,
        COALESCE(calls.retailduration, 0) AS retailduration,
        COALESCE(calls.sms_usage, 0) AS sms_usage,
        COALESCE(calls.whole_sale_cost_1, 0) AS whole_sale_cost_1,
        COALESCE(calls.whole_sale_cost_2, 0) AS whole_sale_cost_2,
        COALESCE(calls.whole_sale_cost_3, 0) AS whole_sale_cost_3,
        COALESCE(calls.whole_sale_cost_4, 0) AS whole_sale_cost_4,
        COALESCE(calls.whole_sale_cost_5, 0) AS whole_sale_cost_5,
        calls.tadigcode,
        calls.apn,
        calls.technologytype,
        calls.sim,
        calls.sim_type,
        calls.msisdn,
        calls.vin,
        calls.calldate,
        calls.cdrid,
        calls.partition_date
    FROM {{ table("traffic_details_raw_daily_with_no_dups", dates) }} calls
    LEFT JOIN (
        SELECT orgno, MIN(orgname) AS orgname FROM {{ table("org_details") }} GROUP BY orgno
    ) organisations ON calls.tcl_secs_id = organisations.orgno
    LEFT JOIN (
        SELECT mcc, MIN(country) AS country FROM {{ table("country_lookup") }} GROUP BY mcc
    ) countries ON calls.mcc = countries.mcc
    WHERE calls.partition_date IN ({{ dates }})
      AND COALESCE(calls.rejectcode, '') = ''
) looked_up
GROUP BY
    customernumber, customername, businessunit, department, costcenter, traffictype, calltype,
    mcc, mnc, country, tadigcode, apn, technologytype, sim, sim_type, msisdn, vin, calldate,
    partition_date
