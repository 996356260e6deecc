"""What size costs: loads, nights, clusters and trainings on made-up histories of any size."""
