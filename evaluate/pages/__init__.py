"""The report: `report_contents` gathers it, `report_page` writes it."""
