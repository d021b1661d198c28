"""What a request costs, stage by stage and under load, beside the plain way of doing the same."""
