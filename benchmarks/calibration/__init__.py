"""The probability that a found memory answers: fitted, measured, drawn."""
