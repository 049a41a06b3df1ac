"""What a program takes on a cluster, from the program and the machine alone."""
