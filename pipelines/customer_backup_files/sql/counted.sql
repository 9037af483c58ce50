-- What the table holds of these dates already; it stays counted.
SELECT
    customer, process_name, filename, customer_filename, file_timestamp, record_count, file_size,
    checksum, checksum_name, file_date
FROM {{ table("customers_files_records_count", dates) }}
WHERE file_date IN ({{ dates }})
