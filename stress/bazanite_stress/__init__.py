"""What kills, cuts and judges the database until nothing is left to find."""

import logging

# what databases log that are made to fail on purpose is of no interest to anybody
logging.getLogger("bazanite").addHandler(logging.NullHandler())
