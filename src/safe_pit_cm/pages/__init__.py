"""The look of all HTML pages: one style sheet, and tables that sort."""
