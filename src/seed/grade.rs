//! The borders of the grades.

use crate::domain::evaluation::Index;
use crate::domain::registry::{Border, GradeRule, Quantity, Span};
use crate::seed::cell;
use crate::seed::draft::{Draft, china};
use crate::seed::sheet::{Cells, GRADES, Sheets};

/// Reads `grades.csv`: rows of one index, grade, rule and time make one rule together.
pub(super) fn grades(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&GRADES);
    let mut grades: Vec<GradeRule> = Vec::new();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        for column in ["clause", "source"] {
            cells.required(column);
        }
        let (index, most) = cells.word(
            "index",
            ("water_class", (Index::WaterClass, 5)),
            &[
                ("river_grade", (Index::RiverGrade, 5)),
                ("trophic", (Index::Trophic, 5)),
                ("black_odour", (Index::BlackOdour, 2)),
            ],
        );
        let grade = cells.text("grade").parse::<u8>().ok().filter(|grade| *grade <= most);
        if grade.is_none() {
            cells.refuse("grade", format_args!("a whole number up to {most}"));
        }
        let condition = condition(&mut cells);
        let colour = cell::colour(cells.text("colour"));
        if colour.is_none() && !cells.text("colour").is_empty() {
            cells.refuse("colour", cell::COLOUR);
        }
        let (grade, rule) = (grade.unwrap_or(0), Box::from(cells.text("rule")));
        let in_force = cells.validity(&china());
        let mine =
            |held: &&mut GradeRule| held.index == index && held.grade == grade && held.rule == rule;
        let held = grades.iter_mut().filter(mine).find(|held| held.in_force.overlaps(&in_force));
        if let Some(held) = held {
            let again = held.conditions.iter().any(|one| one.quantity == condition.quantity);
            if held.in_force != in_force {
                cells.refuse("from", "the same time as the other rows of the rule");
            } else if again {
                cells.refuse("quantity", "each quantity of a rule once at a time");
            }
            held.conditions.push(condition);
            held.colour = held.colour.or(colour);
            continue;
        }
        let clause = cells.text("clause").into();
        let conditions = vec![condition];
        grades.push(GradeRule { index, grade, rule, conditions, clause, colour, in_force });
    }
    grades.sort_by_key(|rule| std::cmp::Reverse(rule.grade));
    draft.registry.water.grades = grades;
}

fn condition(cells: &mut Cells<'_>) -> Span {
    let quantity = cells.word(
        "quantity",
        ("value", Quantity::Value),
        &[
            ("class", Quantity::Class),
            ("sections", Quantity::Sections),
            ("good_share", Quantity::GoodShare),
            ("bad_share", Quantity::BadShare),
            ("first_item", Quantity::FirstItem),
            ("second_item", Quantity::SecondItem),
        ],
    );
    let low = border(cells, "at_least", "above");
    let high = border(cells, "at_most", "below");
    let number = |border: Border| match border {
        Border::Included(number) | Border::Excluded(number) => number,
    };
    if let (Some(low), Some(high)) = (low, high)
        && number(high) < number(low)
    {
        let column = if cells.text("below").is_empty() { "at_most" } else { "below" };
        cells.refuse(column, "no less than the lower end");
    }
    if low.is_none() && high.is_none() {
        cells.refuse("at_least", "a number in it, or in `above`, `below` or `at_most`,");
    }
    Span { quantity, low, high }
}

fn border(cells: &mut Cells<'_>, included: &str, excluded: &str) -> Option<Border> {
    let inner = cells.optional_number(included).map(Border::Included);
    let outer = cells.optional_number(excluded).map(Border::Excluded);
    if inner.is_some() && outer.is_some() {
        cells.refuse(excluded, format_args!("nothing beside `{included}`"));
    }
    inner.or(outer)
}
