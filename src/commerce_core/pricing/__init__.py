"""What a basket costs, and why: the partner's price, the operator's rules, and the explanation."""
