//! What a person has done by a form: every act of the page, whichever page it stands on.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Redirect, Response};

use crate::domain::asked::{Asked, Deed, Of, Work};
use crate::http::door::Shared;
use crate::http::form::{self, Form};
use crate::http::house::Retry;
use crate::http::visit::{Role, Visit};

/// How many bytes of what came of an act are said on the next page; further ones are left out.
const SAID_BYTES_MAX: usize = 1_500;

/// Answers a form: has done what its `deed` names, and leads back to the page of its `back`, which
/// says what came of it.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response {
    let (headers, body) = form::parts(request);
    let form = match Form::read(&headers, body, &visit).await {
        Ok(form) => form,
        Err(refusal) => return refusal.into_response(),
    };
    if visit.role < Role::Operate {
        return (StatusCode::FORBIDDEN, "this account may look, not act\n").into_response();
    }
    let back = form.text("back");
    if let Some(words) = house(&shared, &form, visit.role).await {
        let (person, deed) = (visit.person.as_str(), form.text("deed"));
        tracing::info!(person, deed, "Asked for on the page.");
        return lead_back(&words, &back);
    }
    let words = match asked(&form, &visit.person) {
        None => vec![format!("`{}` is nothing that can be done", form.text("deed"))],
        Some(asked) => match (shared.source.act)(asked).await {
            Ok(words) | Err(words) => words,
        },
    };
    lead_back(&words, &back)
}

/// Has done what only an administrator may; nothing where the form names no such deed.
async fn house(shared: &Shared, form: &Form, role: Role) -> Option<Vec<String>> {
    let deed = form.get("deed").filter(|deed| matches!(*deed, "retry" | "test"))?;
    if role < Role::Admin {
        return Some(vec!["this needs an account of the role admin".to_owned()]);
    }
    let (Ok(words) | Err(words)) = match (deed, retry(form)) {
        ("retry", Some(asked)) => (shared.source.house.retry)(asked).await,
        ("retry", None) => Err(vec!["say which dead letters are meant".to_owned()]),
        _ => (shared.source.house.test)(form.text("channel")).await,
    };
    Some(words)
}

/// Reads which dead letters a form means: some numbers, or a device, channel and reason, which one
/// field has as a list of JSON.
fn retry(form: &Form) -> Option<Retry> {
    let Some(kind) = form.get("kind") else {
        let ids = form.all("id").map(str::parse).collect::<Result<Vec<i64>, _>>().ok()?;
        return Some(Retry { ids, ..Retry::default() });
    };
    let [device, channel, code]: [String; 3] = serde_json::from_str(kind).ok()?;
    let ids = Vec::new();
    Some(Retry { ids, device: Some(device), channel: Some(channel), code: Some(code) })
}

/// Makes of a form what is asked for; nothing where it names no deed.
fn asked(form: &Form, person: &str) -> Option<Asked> {
    let alerts = || form.all("alert").filter_map(|id| id.parse().ok()).collect();
    let until = || form.text("until");
    let own = |text: &str| form.get(text).map(str::to_owned);
    let person = person.to_owned();
    let deed = match form.get("deed")? {
        "acknowledge" => Deed::Acknowledge { alerts: alerts(), until: own("until") },
        "comment" => Deed::Comment { alerts: alerts() },
        "undo" => Deed::Undo { alerts: alerts() },
        "shelve" => {
            // It stands in one form with the end of an acknowledgement.
            let until = own("shelve_until").unwrap_or_else(until);
            Deed::Shelve { alerts: alerts(), until }
        }
        "silence" => {
            let of = Of {
                place: own("place"),
                station: own("station"),
                property: own("property"),
                rule: own("rule"),
                route: own("route"),
                severity: own("severity"),
            };
            Deed::Silence { of, until: until() }
        }
        "end_silence" => Deed::EndSilence { id: form.get("id")?.parse().ok()? },
        "invalidate" => {
            return Some(Asked::Invalidate {
                station: form.text("station"),
                property: own("property"),
                position: own("position"),
                from: form.text("from"),
                to: form.text("to"),
                suspect: form.get("suspect").is_some(),
                person,
                reason: form.text("words"),
            });
        }
        "revoke" => {
            let id = form.get("id")?.parse().ok()?;
            return Some(Asked::Revoke { id, person, reason: form.text("words") });
        }
        _ => return None,
    };
    Some(Asked::Alerts(Work { person, behalf: own("behalf"), words: form.text("words"), deed }))
}

/// Says whether an address leads to a page of our own: browsers take `//` and `/\` for another
/// host, and read over signs such as tabs.
pub(super) fn is_ours(back: &str) -> bool {
    back.starts_with('/')
        && !back.starts_with("//")
        && !back.contains(|letter: char| letter == '\\' || letter.is_control())
}

/// Leads back to a page, which says something once.
pub(super) fn lead_back(words: &[String], back: &str) -> Response {
    let mut response = Redirect::to(if is_ours(back) { back } else { "/" }).into_response();
    if words.is_empty() {
        return response;
    }
    let mut said = url::form_urlencoded::Serializer::new(String::new());
    let mut length = 0;
    for words in words {
        length += words.len();
        if length <= SAID_BYTES_MAX {
            said.append_pair("s", words);
        }
    }
    let line = format!("said={}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict", said.finish());
    let cookie = HeaderValue::from_str(&line).map(|line| (SET_COOKIE, line));
    response.headers_mut().extend(cookie.ok());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_the_page_of_somebody_else() {
        for ours in ["/", "/alerts/3", "/?page=2&lang=zh", "/stations/蒲河"] {
            assert!(is_ours(ours), "{ours}");
        }
        let others = ["", "x", "//evil.example", "/\\evil.example", "/\t/evil.example"];
        for other in others.into_iter().chain(["https://evil.example/", "/\r\nSet-Cookie: a=b"]) {
            assert!(!is_ours(other), "{other:?}");
            let led = lead_back(&[], other);
            assert_eq!(led.headers().get("location").unwrap(), "/");
        }
    }
}
