-- Files that were received and that the backup night has not counted.
SELECT received.process_name, received.customer, received.customer_filename
FROM (
    SELECT DISTINCT process_name, COALESCE(customer, '(no customer)') AS customer,
        customer_filename
    FROM {{ table("telena_file_record_count", dates) }}
    WHERE file_date IN ({{ dates }}) AND process_name IN ({{ processes }})
) received
LEFT JOIN (
    SELECT DISTINCT process_name, COALESCE(customer, '(no customer)') AS customer,
        customer_filename
    FROM {{ table("customers_files_records_count", dates) }}
    WHERE file_date IN ({{ dates }}) AND process_name IN ({{ processes }})
) counted
    ON received.process_name = counted.process_name
    AND received.customer = counted.customer
    AND received.customer_filename = counted.customer_filename
WHERE counted.customer_filename IS NULL
