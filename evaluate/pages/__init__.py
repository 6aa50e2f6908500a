"""The report: `report_page` gathers it (`report_runs`, `report_clips`, ...)
and writes it.
"""
