"""The main job: a year of New York flights, replayed as a live feed into views that stay fresh
while a replica is killed, and checked row by row in the end."""
