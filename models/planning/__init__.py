"""Due dates, the two passes, the T&A sheet, and what moves it."""
