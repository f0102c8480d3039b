"""Window functions from scratch: each row looks at every other row of its partition."""

import math
from collections import Counter
from functools import cmp_to_key

from antiphon.protocol.plan import Aggregate, AggregateFunction, FrameExclusion, FrameUnit
from tests.reference import plans


def window(plan, rows, errors):
    partitions = {}
    for row, count in rows.items():
        key = tuple(row[i] for i in plan.partition_by)
        partitions.setdefault(key, []).extend([row] * count)
    found = Counter()
    for members in partitions.values():
        partition = Partition(plan, members)
        for place, row in enumerate(partition.rows):
            try:
                values = tuple(partition.value(f, place) for f in plan.functions)
            except plans.RowError as error:
                errors[str(error)] += 1
            else:
                found[plans.canonical_row(row + values)] += 1
    return found


class Partition:
    def __init__(self, plan, members):
        self.keys = plan.order_by
        types = plans.schema_of(plan.input).types
        self.rows = sorted(members, key=cmp_to_key(plans.order_of(plan.order_by, types)))
        self.group = []
        for place, row in enumerate(self.rows):
            alike = place > 0 and self.sort_values(row) == self.sort_values(self.rows[place - 1])
            self.group.append(self.group[-1] + (not alike) if place else 0)

    def sort_values(self, row):
        return [row[key.column] for key in self.keys]

    def value(self, function, place):
        rows, group = self.rows, self.group
        arguments = [
            [plans.canonical(plans.evaluate(a, row.__getitem__)) for row in rows]
            for a in function.arguments
        ]
        first = group.index(group[place])
        match function.name:
            case "row_number":
                return place + 1
            case "rank":
                return first + 1
            case "dense_rank":
                return group[place] + 1
            case "percent_rank":
                return first / (len(rows) - 1) if len(rows) > 1 else 0.0
            case "cume_dist":
                return sum(g <= group[place] for g in group) / len(rows)
            case "ntile":
                return self.tile(arguments[0][place], place)
            case "lag" | "lead":
                return self.neighbour(function.name, arguments, place)
        frame = [j for j in range(len(rows)) if self.sees(function.frame, place, j)]
        match function.name:
            case "first_value":
                return arguments[0][frame[0]] if frame else None
            case "last_value":
                return arguments[0][frame[-1]] if frame else None
            case "nth_value":
                wanted = arguments[1][place]
                return arguments[0][frame[wanted - 1]] if wanted <= len(frame) else None
        spec = Aggregate(
            function=AggregateFunction[function.name.upper()], arguments=function.arguments,
            type=function.type, filter=function.filter,
        )  # fmt: skip
        return plans.aggregate(spec, [(rows[j], 1) for j in frame])

    def tile(self, buckets, place):
        sizes = [len(self.rows) // buckets + (i < len(self.rows) % buckets) for i in range(buckets)]
        return next(i + 1 for i in range(buckets) if place < sum(sizes[: i + 1]))

    def neighbour(self, name, arguments, place):
        far = arguments[1][place] if len(arguments) > 1 else 1
        if far is None:
            return None
        place_there = place + (far if name == "lead" else -far)
        if 0 <= place_there < len(self.rows):
            return arguments[0][place_there]
        return arguments[2][place] if len(arguments) > 2 else None

    def sees(self, frame, i, j):
        group = self.group
        if frame is None:
            return group[j] <= group[i]
        alike = group[i] == group[j]
        match frame.exclude:
            case FrameExclusion.CURRENT_ROW if i == j:
                return False
            case FrameExclusion.GROUP if alike:
                return False
            case FrameExclusion.TIES if alike and i != j:
                return False
        after = (
            frame.start is None
            or self.beside(frame.unit, frame.start, frame.start_distance, i, j) >= 0
        )
        return after and (
            frame.end is None or self.beside(frame.unit, frame.end, frame.end_distance, i, j) <= 0
        )

    def beside(self, unit, offset, distance, i, j):
        """Where row j is seen from the bound of row i: before (-1), on it (0), or after (1)."""
        if unit is FrameUnit.ROWS:
            return sign(j - i - offset)
        if unit is FrameUnit.GROUPS:
            return sign(self.group[j] - self.group[i] - offset)
        mine, other = (self.rows[k][self.keys[0].column] for k in (i, j))
        if offset == 0 or mine is None or other is None:
            return sign(self.group[j] - self.group[i])
        down = self.keys[0].descending
        step = distance.value if (offset > 0) != down else -distance.value
        bound = math.nan if mine == "NaN" else mine + step
        order = plans.compare(other, plans.canonical(bound))
        return -order if down else order


def sign(number):
    return (number > 0) - (number < 0)
