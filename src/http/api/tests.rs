//! What the interface refuses before anybody is asked, and with which words.

use serde_json::json;

use super::*;

#[track_caller]
fn check(path: &str, query: &str, want: Result<Wanted, &str>) {
    let parts: Vec<&str> = path.split('/').collect();
    let read = wanted(&parts, &Query::of(query));
    match (read, want) {
        (Ok(read), Ok(want)) => assert_eq!(read, want),
        (Err(problem), Err(words)) => {
            let told = format!("{problem:?}");
            assert!(told.contains(words), "`{words}` is not in {told}");
        }
        (read, want) => panic!("{path}?{query}: {read:?}, wanted {want:?}"),
    }
}

#[test]
fn a_list_is_asked_for_part_by_part_and_keys_that_mean_nothing_are_refused() {
    let part = |after: Option<&str>, count| Part { after: after.map(str::to_owned), count };
    let stations =
        |place: Option<&str>, part| Ok(Wanted::Stations { place: place.map(str::to_owned), part });
    check("stations", "", stations(None, part(None, LISTED)));
    check("stations", "place=puhe&limit=7&after=a", stations(Some("puhe"), part(Some("a"), 7)));
    check("stations", "limit=1000", stations(None, part(None, LISTED_MAX)));
    check("stations", "limit=1001", Err("a number from 1 to 1000"));
    check("stations", "limit=0", Err("a number from 1 to 1000"));
    check(
        "stations",
        "plaec=puhe",
        Err("key `plaec` is not known here; known: place, limit, after"),
    );
    check("stations", "limit=1&limit=2", Err("key `limit` is there twice"));
    check("ledger", "a=1", Err("known: none"));
}

#[test]
fn what_is_needed_is_asked_for_by_name() {
    check("observations", "", Err("key `datastream` is missing"));
    check("observations", "datastream=a/ph&period=week", Err("expected native, 1h, 8h"));
    check("assessments", "", Err("key `station` is missing"));
    check("alerts/seven", "", Err("expected an alert's number"));
    check("alerts/7", "", Ok(Wanted::Alert(7)));
    check("alerts", "held=no", Err("expected true or false"));
    check("nothing", "", Err("there is no such address"));
}

#[test]
fn of_a_body_every_key_must_mean_something() {
    let retry = |body| read::<Retry>(&body).map_err(|problem| format!("{problem:?}"));
    assert_eq!(retry(json!({ "ids": [3] })).unwrap().ids, [3]);
    let refused = retry(json!({ "ids": [3], "devise": "a" })).unwrap_err();
    assert!(refused.contains("key `devise` is not known; known: channel"), "{refused}");
    let until = json!({
        "what": "alerts", "words": "", "deed": { "acknowledge": { "alerts": [1], "untl": "8h" } },
    });
    let refused = format!("{:?}", act(until, "li").unwrap_err());
    assert!(refused.contains("key `deed.acknowledge.untl` is not known"), "{refused}");
}

#[test]
fn the_person_is_that_of_the_account() {
    let body = |person: Option<&str>| {
        let mut body = json!({ "what": "revoke", "id": 1, "reason": "wrong probe" });
        if let (Some(person), Some(held)) = (person, body.as_object_mut()) {
            held.insert("person".to_owned(), person.into());
        }
        body
    };
    let of = |read| match read {
        Ok(Asked::Revoke { person, .. }) => person,
        other => format!("{other:?}"),
    };
    assert_eq!(of(act(body(None), "wang")), "wang");
    assert!(of(act(body(Some("li")), "wang")).contains("leave `person` out"));
}
