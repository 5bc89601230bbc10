"""Products: lists, pages, versions, reverts, publications and exports."""
