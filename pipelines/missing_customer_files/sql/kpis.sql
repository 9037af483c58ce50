-- Files received and files generated, per process and customer; null where that KPI has no row.
SELECT
    process_name,
    COALESCE(customer, '(no customer)') AS customer,
    SUM(CASE WHEN kpi_name = 'File Received' THEN kpi_value END) AS received,
    SUM(CASE WHEN kpi_name = 'File Generated' THEN kpi_value END) AS generated
FROM {{ table("kpi_measurement", dates) }}
WHERE file_date IN ({{ dates }})
  AND process_name IN ({{ processes }})
  AND kpi_name IN ('File Received', 'File Generated')
GROUP BY process_name, COALESCE(customer, '(no customer)')
