"""What every other package stands on: errors, identifiers, money, texts, pages, the calendar."""
