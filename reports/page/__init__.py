"""The report page: one self-contained HTML file about a build, with all its data inside, compressed."""

from wsc.reports.page.page import report_page
from wsc.reports.page.report import Report

__all__ = ["Report", "report_page"]
