"""CustomerInvoiceSummaryEstimated: what each customer will be charged for the month, so far."""
