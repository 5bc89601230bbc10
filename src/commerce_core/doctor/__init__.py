"""The doctor: what a file is, how it would be read and what is wrong with it, from its bytes alone.

container, encoding ──> dialect ──> columns ──> mapping ──> proposal ──> dry read ──> Diagnosis

Loading never depends on it. Whatever it can't know for sure, it asks.
"""

from commerce_core.doctor.diagnosis import Diagnosis
from commerce_core.doctor.examination import examine
from commerce_core.doctor.survey import MOST_BYTES, MOST_RECORDS, Asked

__all__ = ["MOST_BYTES", "MOST_RECORDS", "Asked", "Diagnosis", "examine"]
