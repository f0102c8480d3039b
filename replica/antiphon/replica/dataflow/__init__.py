"""The incremental engine: plans over Z-sets in Arrow columns, one logical time at a time.

It owns how a plan's result follows its inputs. It is told nothing of commands, stages, controllers
or clocks, does no I/O, and gives the same output for the same input on every replica.

What callers use, and nothing else:

`zset.Zset`         a change at one time: `columns`, `diffs` (int64, never null) and `errors` (a
                    `Zset` of the three columns code, message, expression, or None).
                    `Zset.empty(schema)`, `zset.row_count`, `zset.is_empty` (no rows, no errors),
                    `zset.negated()`, `zset.consolidated()`, `Zset.concat(schema, zsets)`,
                    `split_delta(delta, schema) -> list[(time, Zset)]`, sorted by time,
                    `to_delta(schema, [(time, Zset)]) -> Delta` (one batch a side, canonical order).

`graph.Dataflow`    `Dataflow.build(plan, {collection: ImportSpec(schema=...)})`; raises NotServed
                    for a node or function that this version does not evaluate.
                    `step(time, {collection: Zset}) -> Zset`: the output's change at `time`, rows
                    and errors, consolidated. Inputs that are absent did not change. Times strictly
                    increase; the first step is the whole content at as_of and also emits what a
                    plan yields for no input (constants, aggregates without keys). State changes
                    only when the step returns. A time without input needs no step.
                    `maintain(fuel_rows) -> bool`: background merges; True: there is more to do.
                    `schema`, `imports`, `state_rows`, `state_bytes`, `counters()`.
                    `build(..., shares=True)`: imports that are looked up are arranged elsewhere;
                    each of `imported` is given its `reading` before the content is `load`ed.
                    `evaluate_once(plan, imports, inputs) -> Zset`: build, one step, discard.

`trace.Trace`       `Trace(schema, key_columns, since)`: a collection, at times in [since, upper).
                    `insert(lower, upper, [(time, Zset)])`: the updates of [lower, upper); `lower`
                    is the trace's `upper` (Frontier). `upper`, `since`: Frontiers.
                    `allow_compaction(frontier)`: since moves forward, never back.
                    `snapshot(time) -> Zset`, `lookup(key_columns, time) -> Zset` (the rows whose
                    key is one of those in the given Arrow columns), `errors(time) -> Zset | None`,
                    `updates(lower, upper) -> list[(time, Zset)]` for since < lower <= upper
                    (ints), `row_count`, `byte_count`, `maintain(fuel) -> bool`.
                    SinceViolation, NotComplete: the time is not readable (any more, yet).

`arrangement.Arrangement`  `Arrangement(columns, key, since)`: a collection by key, for several
                    readers at times of their own; `reading.Reading`: one of them.

`overwrites.differences`  `differences(overwrites, keys, held) -> Zset`: a feed's overwrites of one
                    time (diff +1 upsert, -1 delete by key) to differences, given the batches that
                    hold its rows by key.
"""
