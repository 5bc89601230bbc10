"""The doctor: what a file is, how it would be read, and what would be wrong, from its bytes alone.

container, encoding ──> dialect ──> columns ──> mapping ──> proposal ──> dry read ──> Diagnosis

Nothing in intake depends on it. What it can't know for sure is a question to a person.
"""

from commerce_core.doctor.diagnosis import Diagnosis
from commerce_core.doctor.examination import MOST_BYTES, MOST_RECORDS, Asked, examine

__all__ = ["MOST_BYTES", "MOST_RECORDS", "Asked", "Diagnosis", "examine"]
