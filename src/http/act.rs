//! What a person has done by a form: every act of the page, whichever page it stands on.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Redirect, Response};

use crate::domain::asked::{Asked, Deed, Of, Work};
use crate::http::door::Shared;
use crate::http::form::{self, Form, Refused};
use crate::http::house::Retry;
use crate::http::pages;
use crate::http::view::Text;
use crate::http::visit::{Language, Role, Visit};

/// How many bytes of what came of an act the browser carries to the next page, as it carries them;
/// further lines are left out, and that is said.
const SAID_BYTES_MAX: usize = 3_500;

/// How many signs of one line of it are said.
const LINE_MAX: usize = 300;

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
        Err(refused) => return pages::refuse(&shared, &visit, refused),
    };
    if visit.role < Role::Operate {
        return pages::refuse(&shared, &visit, Refused::MayLook);
    }
    let back = form.text("back");
    let said = |words: &[Text]| -> Vec<String> {
        words.iter().map(|one| one.of(visit.language).to_owned()).collect()
    };
    if let Some(words) = house(&shared, &form, &visit).await {
        return lead_back(&said(&words), visit.language, &back);
    }
    let words = match asked(&form, &visit.person) {
        None => {
            let deed = form.text("deed");
            let en = format!("`{deed}` is nothing that can be done");
            vec![Text::new(en, format!("没有“{deed}”这种操作"))]
        }
        Some(asked) => match (shared.source.act)(asked).await {
            Ok(words) | Err(words) => words,
        },
    };
    lead_back(&said(&words), visit.language, &back)
}

/// Has done what only an administrator may; nothing where the form names no such deed.
async fn house(shared: &Shared, form: &Form, visit: &Visit) -> Option<Vec<Text>> {
    let deed = form.get("deed").filter(|deed| matches!(*deed, "retry" | "test"))?;
    if visit.role < Role::Admin {
        let en = "this needs an account of the role admin";
        return Some(vec![Text::new(en, "此操作需要管理员账号")]);
    }
    let (Ok(words) | Err(words)) = match (deed, retry(form)) {
        ("retry", Some(asked)) => (shared.source.house.retry)(asked, visit.person.clone()).await,
        ("retry", None) => {
            Err(vec![Text::new("say which dead letters are meant", "请指定要重新解析的异常报文")])
        }
        _ => (shared.source.house.test)(form.text("channel"), visit.person.clone()).await,
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
        "silence_each" => {
            let until = own("silence_until").unwrap_or_else(until);
            Deed::SilenceEach { alerts: alerts(), until }
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
        "sensor" => {
            let (alerts, suspect) = (alerts(), form.get("suspect").is_some());
            return Some(Asked::Sensor { alerts, suspect, person, reason: form.text("words") });
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
pub(super) fn lead_back(words: &[String], language: Language, back: &str) -> Response {
    let mut response = Redirect::to(if is_ours(back) { back } else { "/" }).into_response();
    if words.is_empty() {
        return response;
    }
    let pair = |words: &str| {
        url::form_urlencoded::Serializer::new(String::new()).append_pair("s", words).finish()
    };
    let mut said: Vec<String> = Vec::new();
    let mut length = 0;
    for words in words {
        let short: String = words.chars().take(LINE_MAX).collect();
        let one = pair(&short);
        length += one.len() + 1;
        if length > SAID_BYTES_MAX {
            break;
        }
        said.push(one);
    }
    let more = words.len() - said.len();
    if more > 0 {
        let en = format!("{more} more lines are left out");
        said.push(pair(Text::new(en, format!("另有 {more} 行未显示")).of(language)));
    }
    let said = said.join("&");
    let line = format!("said={said}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
    let cookie = HeaderValue::from_str(&line).map(|line| (SET_COOKIE, line));
    response.headers_mut().extend(cookie.ok());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what a browser is told to carry, and what its next page says.
    fn carried(words: &[String], language: Language) -> (usize, Vec<String>) {
        let led = lead_back(words, language, "/");
        let line = led.headers().get(SET_COOKIE).unwrap().to_str().unwrap();
        let said = line.strip_prefix("said=").unwrap().split(';').next().unwrap();
        let pairs = url::form_urlencoded::parse(said.as_bytes());
        (line.len(), pairs.map(|(_, words)| words.into_owned()).collect())
    }

    #[test]
    fn what_is_said_fits_into_what_a_browser_carries_and_the_rest_is_counted() {
        let few = ["告警 7 已确认".to_owned(), "告警 9 已结束 & 撤回".to_owned()];
        assert_eq!(carried(&few, Language::Chinese).1, few);
        for (language, more) in
            [(Language::English, "more lines are left out"), (Language::Chinese, "行未显示")]
        {
            let many: Vec<String> = (0..200).map(|id| format!("没有未解除的告警 {id}")).collect();
            let (bytes, said) = carried(&many, language);
            // Browsers hold 4,096 bytes of a cookie.
            assert!(bytes < 4_096, "{bytes}");
            assert!(said.last().unwrap().contains(more), "{said:?}");
            let long = [format!("“{}", "长".repeat(3_000))];
            assert!(carried(&long, language).0 < 4_096);
            let left = said.last().unwrap().contains(&(200 - (said.len() - 1)).to_string());
            assert!(said.len() > 10 && left, "{said:?}");
        }
    }

    #[test]
    fn nobody_is_led_to_the_page_of_somebody_else() {
        for ours in ["/", "/alerts/3", "/?page=2&lang=zh", "/stations/蒲河"] {
            assert!(is_ours(ours), "{ours}");
        }
        let others = ["", "x", "//evil.example", "/\\evil.example", "/\t/evil.example"];
        for other in others.into_iter().chain(["https://evil.example/", "/\r\nSet-Cookie: a=b"]) {
            assert!(!is_ours(other), "{other:?}");
            let led = lead_back(&[], Language::English, other);
            assert_eq!(led.headers().get("location").unwrap(), "/");
        }
    }
}
