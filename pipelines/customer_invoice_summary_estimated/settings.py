from __future__ import annotations

from collections.abc import Iterator

import luigi

from pipelines.parameters import CountParameter
from pipelines.settings import Section


class customer_invoice_summary_estimated(Section):
    early_days = CountParameter(description="up to this day of a month, the one before is rebuilt")
    missing_source = luigi.ChoiceParameter(
        choices=["refuse", "skip"],
        description="what to do with a month that no charge table has",
    )
    staging_retention_days = CountParameter(description="how long staged rows are kept")

    def problems(self) -> Iterator[str]:
        if self.early_days > 28:
            yield (
                f"[customer_invoice_summary_estimated] early_days = {self.early_days}: more than "
                "28 would rebuild two months every night."
            )
