"""Numbers are those of PostgreSQL, whose answers stand here; of decimals we keep as many digits as
`docs/decisions/0025-two-oracles.md` says, and theirs, rounded to those, are ours."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest

from antiphon.protocol.errors import DataError
from tests.controller.sql.world import World

# Over the rows x = 1, 2, 4: an expression, what PostgreSQL says, the digits after our point.
EXACT = [
    ("sum(x::numeric(10,2))", "7.00", 2),
    ("sum(x::numeric(10,2) * 1.5)", "10.500", 3),
    ("sum(x::bigint)", "7", 0),
    ("avg(x)", "2.3333333333333333", 16),
    ("avg(x::numeric(10,2))", "2.3333333333333333", 16),
    ("avg(x::numeric(38,20))", "2.33333333333333333333", 20),
    ("max(x) * 1.5 * 2.25", "13.500", 3),
    ("max(x) * 0.1 + 0.20", "0.60", 2),
    ("max(x)::numeric(10,2) * 2", "8.00", 2),
    ("10.0 / (max(x) - 1)", "3.3333333333333333", 16),
    ("1000000 / (max(x) - 1.0)", "333333.333333333333", 16),
    ("1::numeric / (max(x) - 1)", "0.33333333333333333333", 16),
    ("-2.0 / (max(x) - 1)", "-0.66666666666666666667", 16),
    ("0.0001 / (max(x) - 1)", "0.000033333333333333333333", 16),
    ("1::numeric(38,20) / (max(x) - 1)", "0.33333333333333333333", 20),
    ("max(x)::numeric(4,1) % 1.5", "1.0", 1),
    ("-7.5 % (max(x) - 2)", "-1.5", 1),
    ("round(max(x) - 1.5)", "3", 0),
    ("round(1.5 - max(x))", "-3", 0),
    ("round(max(x) * 308.64175, -2)", "1200", 0),
    ("round(max(x) * 0.33375, 3)", "1.335", 3),
    ("trunc(max(x) * -0.39175, 2)", "-1.56", 2),
    ("floor(max(x) * -0.375)", "-2", 0),
    ("ceil(max(x) * -0.375)", "-1", 0),
    ("abs(max(x) - 5.50)", "1.50", 2),
    ("div(max(x) + 3.5, 2)", "3", 0),
    ("div(-3.5 - max(x), 2)", "-3", 0),
    ("(max(x) - 1.5)::int", "3", 0),
    ("(1.5 - max(x))::int", "-3", 0),
    ("(max(x) + 3) / 2", "3", 0),
    ("(-3 - max(x)) / 2", "-3", 0),
    ("(-3 - max(x)) % 2", "-1", 0),
    ("factorial(max(x) * 5)", "2432902008176640000", 0),
    ("extract(epoch from max(x) * interval '1 microsecond')", "0.000004", 6),
]
# Of decimals too, in double precision: fifteen digits of PostgreSQL's numeric.
ROUGH = [
    ("stddev(x::numeric(10,2))", "1.5275252316519467"),
    ("stddev_pop(x)", "1.2472191289246472"),
    ("variance(x::numeric)", "2.3333333333333333"),
    ("var_pop(x)", "1.5555555555555556"),
    ("power(max(x)::numeric, 0.5)", "2.0000000000000000"),
    ("power(2.0, max(x))", "16.0000000000000000"),
    ("max(x)::numeric ^ -1", "0.2500000000000000"),
    ("sqrt(max(x) / 2.0)", "1.414213562373095"),
    ("exp(max(x) / 4.0)", "2.7182818284590452"),
    ("ln(max(x) / 2.0)", "0.6931471805599453"),
    ("log(max(x) * 25.0)", "2.0000000000000000"),
    ("log(2.0, max(x) * 2)", "3.0000000000000000"),
]


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2), (4)")
    return made


def answer(world: World, expression: str) -> Decimal:
    ((value,),) = world.select(f"select {expression} from t")
    return Decimal(repr(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(("expression", "theirs", "digits"), EXACT, ids=[row[0] for row in EXACT])
def test_a_decimal_is_exact_to_its_last_digit(
    world: World, expression: str, theirs: str, digits: int
) -> None:
    ours = answer(world, expression)
    assert -int(ours.as_tuple().exponent) == digits, ours
    kept = min(digits, -int(Decimal(theirs).as_tuple().exponent))
    with localcontext(prec=60, rounding=ROUND_HALF_UP):
        place = Decimal(1).scaleb(-kept)
        assert ours.quantize(place) == Decimal(theirs).quantize(place)


@pytest.mark.parametrize(("expression", "theirs"), ROUGH, ids=[row[0] for row in ROUGH])
def test_what_has_no_exact_decimal_is_double_precision(
    world: World, expression: str, theirs: str
) -> None:
    ((value,),) = world.select(f"select {expression} from t")
    assert isinstance(value, float)
    assert value == pytest.approx(float(theirs), rel=1e-15)


@pytest.mark.parametrize(
    "expression",
    [
        "max(x) * 10000000000000000000000000::numeric * 1000",
        "max(x) * 99999999999999999999999999999999999999",
        "(max(x) * 100000)::numeric(6,2)",
    ],
)
def test_what_has_more_digits_than_are_held_is_an_error(world: World, expression: str) -> None:
    with pytest.raises(DataError, match="out of range"):
        world.select(f"select {expression} from t")
