-- The staged files of this night that the table does not hold yet, however often they were listed.
SELECT
    staged.customer, staged.process_name, staged.filename, staged.customer_filename,
    staged.file_timestamp, staged.record_count, staged.file_size, staged.checksum,
    staged.checksum_name, staged.file_date
FROM {{ table("customers_files_records_count_staging", [run_key]) }} staged
LEFT JOIN (
    SELECT DISTINCT customer, process_name, customer_filename, checksum
    FROM {{ table("customers_files_records_count", dates) }}
    WHERE file_date IN ({{ dates }})
) counted
    ON staged.customer = counted.customer
    AND staged.process_name = counted.process_name
    AND staged.customer_filename = counted.customer_filename
    AND staged.checksum = counted.checksum
WHERE staged.run_key = {{ run_key }}
  AND staged.file_date IN ({{ dates }})
  AND counted.customer_filename IS NULL
