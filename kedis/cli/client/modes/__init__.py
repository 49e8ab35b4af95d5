"""What kedis-cli does over and over by itself: scanning, sizing, watching, timing."""
