"""CustomerBackupFiles: count the files that customers got, copy them away, and remove them."""
