"""Turn records into tables, verdicts and figures. Free of torch."""
