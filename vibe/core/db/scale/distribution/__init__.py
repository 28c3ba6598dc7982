"""The move of a database that already holds data onto the shards of a Citus cluster, by user_id.

What goes where is not listed: it follows from the models and the catalog (`placing`, which also finds what prevents
it). `plan` has every statement in order, each step with a check whether it is done; `applying` runs the steps that are
left.
`rebalancing` spreads the shards over workers that were added since.
"""
