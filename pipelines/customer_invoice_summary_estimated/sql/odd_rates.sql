-- Rates that cannot be meant: several of one currency in one month, or one that is not above zero.
SELECT cal_month, from_curr, COUNT(DISTINCT avg_conv_rate) AS rates, MIN(avg_conv_rate) AS lowest,
    MAX(avg_conv_rate) AS highest
FROM {{ table("gbs_curr_avgconv_rate") }}
WHERE to_curr = 'USD' AND from_curr <> 'USD' AND cal_month IN ({{ months }})
GROUP BY cal_month, from_curr
HAVING COUNT(DISTINCT avg_conv_rate) > 1 OR MIN(avg_conv_rate) <= 0
