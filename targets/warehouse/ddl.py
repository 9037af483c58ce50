"""How a declared table is created on Hive and Spark; nothing here alters or drops."""

from __future__ import annotations

from targets.schema import Table

_TEXT = """ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'
WITH SERDEPROPERTIES (
  'field.delim' = '{0}', 'serialization.format' = '{0}', 'escape.delim' = '\\\\',
  'serialization.escape.crlf' = 'true', 'serialization.null.format' = '\\\\N'
)
STORED AS TEXTFILE"""


def create_external(name: str, table: Table, location: str) -> str:
    """The statement, for a name and a location that are spelled as SQL already."""
    columns = ",\n".join(f"  {column.name} {column.type}" for column in table.columns)
    parts = [f"CREATE EXTERNAL TABLE {name} (\n{columns}\n)"]
    if table.partitioned_by:
        parts.append(f"PARTITIONED BY ({table.partitioned_by} STRING)")
    parts.append(_TEXT.format(table.delimiter) if table.delimiter else "STORED AS PARQUET")
    if location:
        parts.append(f"LOCATION {location}")
    return "\n".join(parts)
