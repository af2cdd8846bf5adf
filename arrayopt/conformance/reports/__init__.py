"""What makes a report something to look at: curves, a script that shows the departure, a page."""
