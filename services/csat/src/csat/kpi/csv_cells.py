"""The figures of the KPI as cells of a CSV line."""

from csat.kpi.measures import Counts, figures_of
from csat.policy.kpi import KpiPolicy

COLUMNS = (
    *("solved", "decided", "asked", "good", "bad"),
    *("kpi", "kpi_low", "kpi_high"),
    *("response_rate", "response_rate_low", "response_rate_high"),
    *("offered_rate", "offered_rate_low", "offered_rate_high"),
)
"""What `cells_of` gives. Rates are shares from 0 to 1, empty where there is nothing to divide by."""


def cells_of(counts: Counts, policy: KpiPolicy) -> list[object]:
    """The counts and figures of one line, in the order of COLUMNS."""
    figures = figures_of(counts, policy)
    cells: list[object] = [counts.solved, counts.decided, counts.asked, counts.good, counts.bad]
    for figure in (figures.kpi, figures.response_rate, figures.offered_rate):
        if figure.value is None:
            cells += ["", "", ""]
        else:
            cells += [round(figure.value, 6), round(figure.low, 6), round(figure.high, 6)]
    return cells
