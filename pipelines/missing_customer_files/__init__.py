"""MissingCustomerFiles: which files were received and never passed on, told by mail."""
