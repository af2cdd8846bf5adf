"""What everything stands on: rules, their state and tape, trees, schedules."""
