-- What each organisation is charged per offer and currency in each of the months, in that currency
-- and in USD at the month's average rate. Sums are rounded once, at the very end. Without a rate the
-- amounts in USD are null; without a mapping the names are. (Engines sort nulls differently.)
SELECT
    org_id,
    org_name,
    contract_offer_group,
    commercial_offer,
    currency,
    base_amount,
    overage_amount,
    service_amount,
    non_invoice_amount,
    total_amount,
    avg_conv_rate,
    CAST(ROUND(base_amount * avg_conv_rate, 4) AS DECIMAL(20,4)) AS base_amount_usd,
    CAST(ROUND(overage_amount * avg_conv_rate, 4) AS DECIMAL(20,4)) AS overage_amount_usd,
    CAST(ROUND(service_amount * avg_conv_rate, 4) AS DECIMAL(20,4)) AS service_amount_usd,
    CAST(ROUND(non_invoice_amount * avg_conv_rate, 4) AS DECIMAL(20,4)) AS non_invoice_amount_usd,
    CAST(ROUND(total_amount * avg_conv_rate, 4) AS DECIMAL(20,4)) AS total_amount_usd,
    partition_date,
    {{ run_key }} AS run_key
FROM (
    SELECT
        charges.org_id,
        mapping.org_name,
        mapping.contract_offer_group,
        charges.commercial_offer,
        charges.currency,
        charges.base_amount,
        charges.overage_amount,
        charges.service_amount,
        charges.non_invoice_amount,
        charges.total_amount,
        CASE
            WHEN charges.currency = 'USD' THEN CAST(1 AS DECIMAL(17,8))
            ELSE rates.avg_conv_rate
        END AS avg_conv_rate,
        charges.partition_date
    FROM (
        SELECT
            org_id,
            commercial_offer,
            currency,
            partition_date,
            CAST(SUM(base) AS DECIMAL(20,4)) AS base_amount,
            CAST(SUM(overage) AS DECIMAL(20,4)) AS overage_amount,
            CAST(SUM(service) AS DECIMAL(20,4)) AS service_amount,
            CAST(SUM(non_invoice) AS DECIMAL(20,4)) AS non_invoice_amount,
            CAST(SUM(base + overage + service + non_invoice) AS DECIMAL(20,4)) AS total_amount
        FROM (
            SELECT org_id, commercial_offer, currency, partition_date,
                COALESCE(amount, 0) AS base, 0 AS overage, 0 AS service, 0 AS non_invoice
            FROM {{ table("billable_subscriptions", months) }}
            WHERE partition_date IN ({{ months }})
            UNION ALL
            SELECT org_id, commercial_offer, currency, partition_date,
                0 AS base, COALESCE(amount, 0) AS overage, 0 AS service, 0 AS non_invoice
            FROM {{ table("usage_overage_charges", months) }}
            WHERE partition_date IN ({{ months }})
            UNION ALL
            SELECT org_id, commercial_offer, currency, partition_date,
                0 AS base, 0 AS overage, COALESCE(amount, 0) AS service, 0 AS non_invoice
            FROM {{ table("service_based_charges", months) }}
            WHERE partition_date IN ({{ months }})
            UNION ALL
            SELECT org_id, commercial_offer, currency, partition_date,
                0 AS base, 0 AS overage, 0 AS service, COALESCE(amount, 0) AS non_invoice
            FROM {{ table("sebs_non_invoice_charges", months) }}
            WHERE partition_date IN ({{ months }})
        ) every_charge
        GROUP BY org_id, commercial_offer, currency, partition_date
    ) charges
    LEFT JOIN (
        SELECT cal_month, from_curr, CAST(MAX(avg_conv_rate) AS DECIMAL(17,8)) AS avg_conv_rate
        FROM {{ table("gbs_curr_avgconv_rate") }}
        WHERE to_curr = 'USD' AND cal_month IN ({{ months }})
        GROUP BY cal_month, from_curr
    ) rates
        ON charges.partition_date = rates.cal_month AND charges.currency = rates.from_curr
    LEFT JOIN (
        SELECT valid_month, org_id, commercial_offer, org_name, contract_offer_group,
            ROW_NUMBER() OVER (
                PARTITION BY valid_month, org_id, commercial_offer
                ORDER BY co_mapping_start_date DESC, COALESCE(contract_offer_group, ''),
                    COALESCE(org_name, '')
            ) AS place
        FROM (
            {% for month in months %}
            SELECT {{ month }} AS valid_month, org_id, commercial_offer, org_name,
                contract_offer_group, co_mapping_start_date
            FROM {{ table("bl_cust_bu_co_cogrp_mapping") }}
            WHERE co_mapping_start_date <= CONCAT({{ month }}, '-31')
              AND COALESCE(co_mapping_end_date, '9999-12-31') >= CONCAT({{ month }}, '-01')
            {% if not loop.last %}UNION ALL{% endif %}
            {% endfor %}
        ) valid_mappings
    ) mapping
        ON charges.partition_date = mapping.valid_month
        AND charges.org_id = mapping.org_id
        AND charges.commercial_offer = mapping.commercial_offer
        AND mapping.place = 1
) converted
