"""What kills, cuts and judges the database until nothing is left to find."""
