//! What is made of fields, and what is asked.

use serde_json::json;

use super::*;

#[track_caller]
fn check(fields: [Value; 7], want: Option<Stored>) {
    let mut held = Fields::default();
    fields.iter().enumerate().for_each(|(ending, value)| held.put(ending, value));
    assert_eq!(held.stored(Timestamp(5)), want);
}

fn stored(value: f64) -> Stored {
    Stored { at: Timestamp(5), value: Some(value), flag: 1, ..Stored::default() }
}

#[test]
fn what_stands_beside_a_value_says_what_it_is() {
    let nil = || Value::Null;
    let good = || stored(1.5);
    check([json!(1.5), nil(), nil(), nil(), nil(), nil(), nil()], Some(good()));
    let span = Some((1.0, 2.0));
    check(
        [json!(1.5), json!(3), nil(), json!(1.0), json!(2.0), nil(), nil()],
        Some(Stored { flag: 3, span, ..good() }),
    );
    check(
        [json!(1.5), nil(), json!(1.4), nil(), nil(), json!("<"), nil()],
        Some(Stored { raw: Some(1.4), censored: "<", ..good() }),
    );
    // A revision says everything again.
    check(
        [json!(1.5), json!(1), json!(1.5), nil(), nil(), json!(""), json!("")],
        Some(Stored { revision: true, ..good() }),
    );
    let missing = Stored { value: None, flag: 9, ..good() };
    check([json!(1.5), json!(9), json!(1.4), nil(), nil(), nil(), nil()], Some(missing));
    let marked = Stored { mark: Some("D".into()), ..good() };
    check([json!(1.5), nil(), nil(), nil(), nil(), nil(), json!("D")], Some(marked));
    check([nil(), nil(), nil(), nil(), nil(), nil(), json!("D")], None);
}

#[test]
fn no_name_ends_what_is_asked() {
    assert_eq!(equals("station", "a' OR ''='\n"), "\"station\" = 'a\\' OR \\'\\'=\\''");
    assert_eq!(label("a\"b\\"), "\"a\\\"b\\\\\"");
    assert_eq!(literal("water_1h.x"), "water_1h\\.x");
}
