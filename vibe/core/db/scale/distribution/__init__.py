"""Bringing a database that holds data already onto the shards of a Citus cluster, by user_id.

What goes where is not listed: it follows from the models and the catalog (`placing`). `obstacles` says what does not
fit, `plan` gives every statement in its order, each step with how to see that it is done, and `applying` does what is
left of it.
"""
