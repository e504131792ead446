"""What the program asks of Python and the computer: threads, clocks, closing, facts of the machine."""
