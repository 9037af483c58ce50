"""The pipelines, under the names that operators use: `luigi --module pipelines CustomerAggr`."""

from pipelines import configuration, console

configuration.bootstrap()
console.show_plain_errors()

from pipelines import events  # noqa: E402
from pipelines.customer_aggr.tasks import CustomerAggr  # noqa: E402
from pipelines.customer_backup_files.tasks import CustomerBackupFiles  # noqa: E402
from pipelines.customer_invoice_summary_estimated.tasks import (  # noqa: E402
    CustomerInvoiceSummaryEstimated,
)
from pipelines.missing_customer_files.tasks import MissingCustomerFiles  # noqa: E402
from pipelines.traffic_adhoc_aggr.tasks import TrafficAdhocAggr  # noqa: E402

events.listen()

__all__ = [
    "CustomerAggr",
    "CustomerBackupFiles",
    "CustomerInvoiceSummaryEstimated",
    "MissingCustomerFiles",
    "TrafficAdhocAggr",
]
