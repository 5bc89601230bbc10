"""Merges a file into PostgreSQL with dlt, in Arrow batches; runs in an environment of its own.

python bench/load_with_dlt.py URL FILE
"""

import sys
import tempfile
from collections.abc import Iterator

import dlt
import pyarrow as pa
import pyarrow.csv

BATCH = 64 << 20


@dlt.resource(
    name="live",
    primary_key="sku",
    write_disposition={"disposition": "merge", "strategy": "upsert"},
)
def records(file: str) -> Iterator[pa.Table]:
    """The records of a file, unchanged."""
    types = {"price": pa.decimal128(12, 2), "gtin": pa.string()}
    reader = pyarrow.csv.open_csv(
        file,
        read_options=pyarrow.csv.ReadOptions(block_size=BATCH),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types),
    )
    for batch in reader:
        yield pa.Table.from_batches([batch])


if __name__ == "__main__":
    url, file = sys.argv[1:]
    # It insists on a password, which the server doesn't ask for.
    destination = dlt.destinations.postgres(credentials=url.replace("@", ":unasked@", 1))
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            pipeline_name="rival",
            destination=destination,
            dataset_name="rival",
            pipelines_dir=folder,
        )
        pipeline.run(records(file))
