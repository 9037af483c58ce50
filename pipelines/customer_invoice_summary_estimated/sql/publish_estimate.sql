-- The staged rows of this night, for the months that it publishes.
SELECT
    org_id, org_name, contract_offer_group, commercial_offer, currency, base_amount,
    overage_amount, service_amount, non_invoice_amount, total_amount, avg_conv_rate,
    base_amount_usd, overage_amount_usd, service_amount_usd, non_invoice_amount_usd,
    total_amount_usd, partition_date
FROM {{ table("customer_invoice_summary_estimated_staging", [run_key]) }}
WHERE run_key = {{ run_key }}
  AND partition_date IN ({{ months }})
