"""Who is let in, where each request runs, and how much of the server one caller may have.

connection ──> door (requests at once, rates) ──> lane (own threads) ──> effort (time, memory)
"""
