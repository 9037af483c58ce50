-- What the estimate must neither lose nor double: the sum of each charge table.
SELECT SUM(base), SUM(overage), SUM(service), SUM(non_invoice)
FROM (
    SELECT amount AS base, 0 AS overage, 0 AS service, 0 AS non_invoice
    FROM {{ table("billable_subscriptions", months) }} WHERE partition_date IN ({{ months }})
    UNION ALL
    SELECT 0 AS base, amount AS overage, 0 AS service, 0 AS non_invoice
    FROM {{ table("usage_overage_charges", months) }} WHERE partition_date IN ({{ months }})
    UNION ALL
    SELECT 0 AS base, 0 AS overage, amount AS service, 0 AS non_invoice
    FROM {{ table("service_based_charges", months) }} WHERE partition_date IN ({{ months }})
    UNION ALL
    SELECT 0 AS base, 0 AS overage, 0 AS service, amount AS non_invoice
    FROM {{ table("sebs_non_invoice_charges", months) }} WHERE partition_date IN ({{ months }})
) charges
