//! Holds answers against the description of the interface: the words of JSON Schema that it uses,
//! and no others, so that none is overlooked.

use serde_json::Value;

/// Tells everything in which a value differs from its schema.
pub(crate) fn differences(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(document, schema, value, "$", &mut found);
    found
}

fn look(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let schema = schema.as_object().unwrap();
    for (word, said) in schema {
        match word.as_str() {
            "description" | "default" | "required" => {}
            "$ref" => {
                let pointer = said.as_str().unwrap().trim_start_matches('#');
                let other = document.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
                look(document, other, value, place, found);
            }
            "anyOf" => {
                let all = said.as_array().unwrap().iter();
                let mut each = all.map(|one| differences(document, one, value));
                if !each.any(|differs| differs.is_empty()) {
                    found.push(format!("{place}: {value} is none of {said}"));
                }
            }
            "type" => {
                let several = said.as_array().into_iter().flatten().filter_map(Value::as_str);
                let words: Vec<&str> = said.as_str().into_iter().chain(several).collect();
                if !words.iter().any(|word| is(word, value)) {
                    found.push(format!("{place}: {value} is no {}", words.join(" or ")));
                }
            }
            "enum" => {
                if !value.is_null() && !said.as_array().unwrap().contains(value) {
                    found.push(format!("{place}: {value} is none of {said}"));
                }
            }
            "format" => {
                assert_eq!(said, "date-time");
                let text = value.as_str();
                if text.is_some_and(|text| text.parse::<jiff::Timestamp>().is_err()) {
                    found.push(format!("{place}: {value} is no time"));
                }
            }
            "items" => {
                for (at, one) in value.as_array().into_iter().flatten().enumerate() {
                    look(document, said, one, &format!("{place}[{at}]"), found);
                }
            }
            "properties" => {
                let Some(value) = value.as_object() else { continue };
                let known = said.as_object().unwrap();
                for (key, one) in value {
                    if let Some(schema) = known.get(key) {
                        look(document, schema, one, &format!("{place}.{key}"), found);
                    }
                }
                let needed = schema.get("required").and_then(Value::as_array);
                for key in needed.into_iter().flatten().filter_map(Value::as_str) {
                    if !value.contains_key(key) {
                        found.push(format!("{place}: no `{key}`"));
                    }
                }
            }
            "additionalProperties" => {
                assert_eq!(said, &Value::Bool(false));
                let known = schema["properties"].as_object().unwrap();
                for key in value.as_object().into_iter().flatten().map(|(key, _)| key) {
                    if !known.contains_key(key) {
                        found.push(format!("{place}: `{key}` is not described"));
                    }
                }
            }
            other => panic!("{place}: nobody looks at `{other}`"),
        }
    }
}

fn is(word: &str, value: &Value) -> bool {
    match word {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type is called {other}"),
    }
}
