"""Pure estimators: what a policy would have earned, with intervals and a verdict on the evidence."""
