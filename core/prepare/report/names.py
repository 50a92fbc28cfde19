"""Files of the report, in the dataset folder."""

PICTURE, PAGE = "prepare_report.jpg", "prepare_report.html"
