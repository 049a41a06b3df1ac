"""The report page: one self-contained HTML file about a build, with all its data inside, compressed."""

from wsc.reports.page.page import Report, report_page

__all__ = ["Report", "report_page"]
