"""What a migration may not do to a table that has rows: whatever holds up everybody meanwhile.

A new version migrates while the old one still runs. So a step may only add what the old one needn't
know, and may take no lock for as long as a table is read or written through.
"""

import re
from collections.abc import Iterator, Mapping

RULES: Mapping[str, str] = {
    r"ADD COLUMN(?!.*\bDEFAULT\b).*\bNOT NULL": "a new column that rows lack is nullable, or has a "
    "constant default",
    r"ADD COLUMN.*\bDEFAULT\s+[a-z_]+\s*\(": "a default that is computed rewrites every row",
    r"ADD COLUMN.*\b(CHECK|REFERENCES|UNIQUE|PRIMARY KEY)\b": "a constraint on a new column reads "
    "every row under a lock; add it NOT VALID",
    r"ADD (CONSTRAINT|CHECK|FOREIGN KEY|UNIQUE|PRIMARY KEY)(?!.*\bNOT VALID\b)": "a constraint is "
    "added NOT VALID, and validated by a later step",
    r"ALTER (COLUMN )?\S+ (SET DATA )?TYPE\b": "another type rewrites every row",
    r"ALTER (COLUMN )?\S+ SET NOT NULL": "SET NOT NULL reads every row under a lock",
    r"\bRENAME\b|\bDROP (TABLE|COLUMN)\b": "the version before this one still uses it",
    r"^(VACUUM FULL|CLUSTER|REINDEX(?! .*CONCURRENTLY)|LOCK|TRUNCATE)\b": "it locks a whole table",
    r"^(UPDATE|DELETE)\b": "it writes through a table in one transaction; do it in batches",
}


def faults(text: str) -> Iterator[str]:
    """What is wrong with a migration, statement by statement."""
    plain = re.sub(r"--[^\n]*", "", text)
    made = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", plain, re.IGNORECASE))
    for statement in (" ".join(part.split()) for part in plain.split(";")):
        table = re.search(r"(?:ALTER TABLE|\bON) (?:ONLY |IF EXISTS )*(\w+)", statement)
        if table and table[1] in made:
            continue
        if re.match(r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)", statement):
            yield f"{statement[:70]}: an index of a table with rows is made CONCURRENTLY"
        for pattern, reason in RULES.items():
            if re.search(pattern, statement):
                yield f"{statement[:70]}: {reason}"
