-- Staged rows without a rate and without a mapping, by month and what is missing.
SELECT 'no rate to USD' AS kind, partition_date, COALESCE(currency, 'no currency') AS of_what,
    COUNT(*) AS rows_found
FROM {{ table("customer_invoice_summary_estimated_staging", [run_key]) }}
WHERE run_key = {{ run_key }} AND avg_conv_rate IS NULL
GROUP BY partition_date, COALESCE(currency, 'no currency')
UNION ALL
SELECT 'no mapping' AS kind, partition_date, 'organisations and offers' AS of_what,
    COUNT(*) AS rows_found
FROM {{ table("customer_invoice_summary_estimated_staging", [run_key]) }}
WHERE run_key = {{ run_key }} AND contract_offer_group IS NULL
GROUP BY partition_date
