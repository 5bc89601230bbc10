"""What all commands share: options, output, tables, errors."""
