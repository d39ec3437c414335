"""The write-ahead log and everything asked of the operating system; knows bytes, not tables."""
