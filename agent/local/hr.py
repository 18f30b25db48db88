"""The sample schema hr: the head office of the bakery franchise. Columns are described in sql/hr.sql."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from agent.local.dice import Dice, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPLOYEES = 120
YEARS = (2023, 2024, 2025)

FIRST_NAMES = """
Anna Bram Chloé Daan Elena Farid Greta Hugo Ines Jonas Keiko Lars Maria Nikhil Olivia Pedro Quinn Rosa Sven Tomás
Ursula Victor Wen Yara Zoë Aiko Bruno Carla Dmitri Esther
"""
LAST_NAMES = """
Bakker Almeida Rossi Tanaka Müller Dubois García Novak Okafor Sharma Jansen Silva Costa Weber Lefèvre Moretti Ito
Fischer Navarro Visser Kowalski Hughes Martin Nair
"""

# department: titles from the head downwards, yearly pay of the head and of the others in EUR
DEPARTMENTS: dict[str, tuple[tuple[str, ...], int, int]] = {
    "Operations": (("Head of Operations", "Regional Lead", "Field Coach", "Planner"), 118_000, 54_000),
    "Finance": (("Chief Financial Officer", "Controller", "Accountant", "Payroll Clerk"), 139_000, 58_000),
    "Product": (("Head of Product", "Master Baker", "Recipe Developer", "Quality Inspector"), 112_000, 52_000),
    "Marketing": (("Head of Marketing", "Brand Lead", "Designer", "Copywriter"), 108_000, 50_000),
    "People": (("Head of People", "Recruiter", "Trainer", "Office Assistant"), 101_000, 47_000),
    "Technology": (("Chief Technology Officer", "Data Engineer", "Developer", "Support Engineer"), 134_000, 66_000),
}
COUNTRIES, COUNTRY_WEIGHTS = (
    ("Netherlands", "France", "Germany", "United Kingdom", "United States", "Japan", "Brazil", "India"),
    (34, 12, 12, 10, 14, 8, 5, 5),
)


def employees() -> list[Row]:
    """Hire 120 people: the chief executive, six heads, and everybody else below one of the heads."""
    dice = Dice(120)
    names = [f"{first} {last}" for first in FIRST_NAMES.split() for last in LAST_NAMES.split()]
    departments = list(DEPARTMENTS)
    rows: list[Row] = [(1, "Margriet de Wit", "Chief Executive", "Board", "Netherlands", date(2013, 9, 2), None)]
    for number in range(2, EMPLOYEES + 1):
        head = number < 2 + len(departments)
        department = departments[number - 2] if head else dice.pick(departments)
        titles = DEPARTMENTS[department][0]
        title = titles[0] if head else dice.pick(titles[1:])
        name = names.pop(dice.whole(0, len(names) - 1))
        country = dice.pick(COUNTRIES, COUNTRY_WEIGHTS)
        hired = dice.day(date(2014, 1, 1), date(2018, 12, 31) if head else date(2025, 6, 30))
        manager = 1 if head else 2 + departments.index(department)
        rows.append((number, name, title, department, country, hired, manager))
    return rows


def salaries(employees: Sequence[Row]) -> list[Row]:
    """Pay everybody for each year from the one they were hired in, a little more every year."""
    dice = Dice(365)
    rows: list[Row] = []
    for number, _, _, department, _, hired, manager in employees:
        if manager is None:
            base = 185_000
        else:
            _, head, others = DEPARTMENTS[department]
            base = head if manager == 1 else others
        pay = base * dice.whole(880, 1180) // 1000
        for year in YEARS:
            if hired.year <= year:
                rows.append((number, year, Decimal(pay), "EUR"))
            pay = pay * dice.whole(1015, 1060) // 1000
    return rows
