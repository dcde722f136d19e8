"""What belongs to the whole process: threads, signals, forks, and what libraries print."""
