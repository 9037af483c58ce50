"""Every table that we read or write, declared once."""

from __future__ import annotations

from targets.schema import Table, table

usage_trend_daily_aggr = table(
    "usage_trend_daily_aggr",
    "tcl_secs_id BIGINT, serv_abbr STRING, bu_prompt STRING, mo_sms BIGINT, mt_sms BIGINT, "
    "mo_minutes DECIMAL(20,4), mt_minutes DECIMAL(20,4), data_usage_mb DECIMAL(20,4), "
    "sms_users BIGINT, voice_users BIGINT, data_users BIGINT",
    "partition_date",
)
table_statistics_customer_aggr = table(
    "table_statistics_customer_aggr",
    "tcl_secs_id BIGINT, serv_abbr STRING, mo_sms BIGINT, mt_sms BIGINT, total_sms BIGINT, "
    "mo_minutes DECIMAL(20,4), mt_minutes DECIMAL(20,4), total_minutes DECIMAL(20,4), "
    "data_usage_mb DECIMAL(20,4), sms_users BIGINT, voice_users BIGINT, data_users BIGINT",
    "partition_date",
)

traffic_details_raw_daily_with_no_dups = table(
    "traffic_details_raw_daily_with_no_dups",
    "cdrid STRING, tcl_secs_id BIGINT, customernumber STRING, businessunit STRING, "
    "department STRING, costcenter STRING, traffictype STRING, calltype STRING, mcc STRING, "
    "mnc STRING, country STRING, tadigcode STRING, apn STRING, technologytype STRING, sim STRING, "
    "sim_type STRING, msisdn STRING, vin STRING, calldate STRING, retailduration BIGINT, "
    "bytes BIGINT, sms_usage BIGINT, whole_sale_cost_1 DECIMAL(20,4), "
    "whole_sale_cost_2 DECIMAL(20,4), whole_sale_cost_3 DECIMAL(20,4), "
    "whole_sale_cost_4 DECIMAL(20,4), whole_sale_cost_5 DECIMAL(20,4), rejectcode STRING, "
    "filename STRING",
    "partition_date",
)
org_details = table("org_details", "orgno BIGINT, orgname STRING")
country_lookup = table("country_lookup", "mcc STRING, country STRING")
traffic_aggr_adhoc = table(
    "traffic_aggr_adhoc",
    "customernumber STRING, customername STRING, businessunit STRING, department STRING, "
    "costcenter STRING, traffictype STRING, calltype STRING, mcc STRING, mnc STRING, "
    "country STRING, data_usage_in_mb DECIMAL(20,4), data_usage_in_kb DECIMAL(20,4), "
    "voice_usage_in_secs BIGINT, voice_usage_in_mins DECIMAL(20,4), sms_usage BIGINT, "
    "whole_sale_cost_1 DECIMAL(20,4), whole_sale_cost_2 DECIMAL(20,4), "
    "whole_sale_cost_3 DECIMAL(20,4), whole_sale_cost_4 DECIMAL(20,4), "
    "whole_sale_cost_5 DECIMAL(20,4), tadigcode STRING, apn STRING, technologytype STRING, "
    "sim STRING, sim_type STRING, msisdn STRING, vin STRING, calldate STRING, noofcdrids BIGINT",
    "partition_date",
    delimiter=";",
)

customers_files_records_count = table(
    "customers_files_records_count",
    "customer STRING, process_name STRING, filename STRING, customer_filename STRING, "
    "file_timestamp STRING, record_count BIGINT, file_size BIGINT, checksum STRING, "
    "checksum_name STRING",
    "file_date",
)

_CHARGE = "org_id BIGINT, commercial_offer STRING, currency STRING, amount DECIMAL(20,4)"
billable_subscriptions = table("billable_subscriptions", _CHARGE, "partition_date")
usage_overage_charges = table("usage_overage_charges", _CHARGE, "partition_date")
service_based_charges = table("service_based_charges", _CHARGE, "partition_date")
sebs_non_invoice_charges = table("sebs_non_invoice_charges", _CHARGE, "partition_date")
gbs_curr_avgconv_rate = table(
    "gbs_curr_avgconv_rate",
    "cal_month STRING, from_curr STRING, to_curr STRING, avg_conv_rate DECIMAL(20,8)",
    delimiter=",",
)
bl_cust_bu_co_cogrp_mapping = table(
    "bl_cust_bu_co_cogrp_mapping",
    "org_id BIGINT, org_name STRING, contract_offer_group STRING, commercial_offer STRING, "
    "co_mapping_start_date STRING, co_mapping_end_date STRING",
    delimiter="~",
)
customer_invoice_summary_estimated = table(
    "customer_invoice_summary_estimated",
    "org_id BIGINT, org_name STRING, contract_offer_group STRING, commercial_offer STRING, "
    "currency STRING, base_amount DECIMAL(20,4), overage_amount DECIMAL(20,4), "
    "service_amount DECIMAL(20,4), non_invoice_amount DECIMAL(20,4), total_amount DECIMAL(20,4), "
    "avg_conv_rate DECIMAL(20,8), base_amount_usd DECIMAL(20,4), "
    "overage_amount_usd DECIMAL(20,4), service_amount_usd DECIMAL(20,4), "
    "non_invoice_amount_usd DECIMAL(20,4), total_amount_usd DECIMAL(20,4)",
    "partition_date",
)

kpi_measurement = table(
    "kpi_measurement",
    "process_name STRING, customer STRING, kpi_name STRING, kpi_value BIGINT",
    "file_date",
)
telena_file_record_count = table(
    "telena_file_record_count",
    "filename STRING, customer STRING, customer_filename STRING, record_count BIGINT, "
    "process_name STRING",
    "file_date",
)

_STAGED = (
    table_statistics_customer_aggr,
    traffic_aggr_adhoc,
    customers_files_records_count,
    customer_invoice_summary_estimated,
)
TABLES = {
    declared.name: declared
    for declared in (
        *(value for value in list(globals().values()) if isinstance(value, Table)),
        *(final.staging() for final in _STAGED),
    )
}
