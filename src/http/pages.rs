//! The pages, by their address: what each shows and to whom.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use crate::http::audit;
use crate::http::door::Shared;
use crate::http::form::Refused;
use crate::http::station;
use crate::http::view::alerts::{NamedView, Wanted};
use crate::http::view::strip::StripView;
use crate::http::view::{StationsAsked, Text};
use crate::http::visit::{Role, Visit};

/// How many acts the audit list shows at once; the table of it has more.
const ACTS_SHOWN_MAX: usize = 200;

/// A page: its template, and what is shown by it.
pub(super) struct Shown {
    pub(super) template: &'static str,
    pub(super) view: Value,
    /// The blocks of the template that change while the page is looked at. Each stands in an
    /// element of its name as id.
    pub(super) live: &'static [&'static str],
    /// The head of the page.
    pub(super) strip: StripView,
}

impl Shown {
    pub(super) fn new(template: &'static str, view: impl Serialize) -> Self {
        let strip = StripView::default();
        Self { template, view: Value::from(Serde(view)), live: &[], strip }
    }

    pub(super) fn with_live(self, live: &'static [&'static str]) -> Self {
        Self { live, ..self }
    }
}

/// Why there is no such page.
pub(super) enum Fault {
    /// Nothing is called so.
    Unknown(Text),
    /// It is not for everybody.
    Closed(Text),
}

/// The query of an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    kept_up: Option<KeptUp>,
}

/// What is made of a page that is only kept up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KeptUp {
    /// What is at hand, each second.
    Hand,
    /// What has to be fetched, too, once in a while.
    Fetched,
}

impl Query {
    pub(super) fn of(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        let pairs = pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        Self { pairs, kept_up: None }
    }

    /// Notes that the page is only kept up: nothing but its live blocks is needed.
    pub(super) fn kept_up_by(&self, kept_up: KeptUp) -> Self {
        Self { kept_up: Some(kept_up), ..self.clone() }
    }

    /// Gives what is made of the page if it is only kept up.
    pub(super) fn kept_up(&self) -> Option<KeptUp> {
        self.kept_up
    }

    /// Gives what is asked for under a name; nothing where it is left empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Gives every key with its value, in their order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Gives a number, or another one where there is none.
    pub(super) fn number(&self, name: &str, otherwise: usize) -> usize {
        self.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }
}

/// Makes the page of an address, with its head.
pub(super) async fn show(
    shared: &Shared,
    visit: &Visit,
    path: &str,
    query: &Query,
) -> Result<Shown, Fault> {
    let strip = (shared.source.strip)();
    Ok(Shown { strip, ..content(shared, visit, path, query).await? })
}

async fn content(
    shared: &Shared,
    visit: &Visit,
    path: &str,
    query: &Query,
) -> Result<Shown, Fault> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match *parts {
        [] => {
            let live = &["live_summary", "live_open", "live_map"];
            Ok(Shown::new("now.html", (shared.source.now)()).with_live(live))
        }
        ["handover"] => {
            Ok(Shown::new("handover.html", (shared.source.handover)(query.get("since"))))
        }
        ["stations"] => {
            let text = |name| query.get(name).unwrap_or_default().to_owned();
            let (place, words) = (text("place"), text("words"));
            let asked = StationsAsked { number: query.number("page", 1), place, words };
            Ok(Shown::new("stations.html", (shared.source.page)(&asked)))
        }
        ["audit"] if visit.role < Role::Admin => Err(Fault::Closed(Text::new(
            "The audit list is for administrators.",
            "操作记录仅供管理员查看。",
        ))),
        ["audit"] => {
            let view = (shared.source.audit)(audit::asked(query), Some(ACTS_SHOWN_MAX));
            Ok(Shown::new("audit.html", view))
        }
        ["weir"] => {
            let shown = Shown::new("weir.html", (shared.source.house.page)());
            Ok(shown.with_live(&["live_weir", "live_letters", "live_channels"]))
        }
        ["weir", "letters", number] => {
            let found = number.parse().ok().and_then(|id| (shared.source.house.letter)(id));
            let unknown = || {
                Fault::Unknown(Text::new(
                    format!("No broken message {number} is kept."),
                    format!("没有留存编号为 {number} 的异常报文。"),
                ))
            };
            Ok(Shown::new("letter.html", found.ok_or_else(unknown)?))
        }
        ["weir", "edition"] => {
            Ok(Shown::new("edition.html", (shared.source.house.edition)().await))
        }
        ["stations", name] => station::show(shared, name, query).await,
        ["stations", name, "raw"] => station::raw(shared, name, query).await,
        ["alerts", ref rest @ ..] => alerts(shared, rest, query),
        _ => Err(Fault::Unknown(Text::new("There is no such page.", "没有这个页面。"))),
    }
}

/// Makes one of the pages of alerts.
fn alerts(shared: &Shared, rest: &[&str], query: &Query) -> Result<Shown, Fault> {
    let source = &shared.source.alerts;
    match *rest {
        [] => {
            let mut view = (source.list)(&Wanted::of(query));
            view.people = people(shared, view.people);
            Ok(Shown::new("alerts.html", view).with_live(&["live_counts", "live_rows"]))
        }
        ["silences"] => {
            let view = (source.silences)();
            Ok(Shown::new("silences.html", view))
        }
        ["history"] => {
            let before = query.get("before").and_then(|at| at.parse().ok());
            let live: &[&str] = if before.is_none() { &["live_happened"] } else { &[] };
            Ok(Shown::new("history.html", (source.history)(before)).with_live(live))
        }
        [number] => {
            let mut view = number.parse().ok().and_then(|id| (source.one)(id));
            if let Some(view) = &mut view {
                view.people = people(shared, std::mem::take(&mut view.people));
            }
            let unknown = || {
                let (en, zh) =
                    (format!("There is no alert {number}."), format!("没有告警 {number}。"));
                Fault::Unknown(Text::new(en, zh))
            };
            let live = &["live_head", "live_evidence", "live_happened"];
            Ok(Shown::new("alert.html", view.ok_or_else(unknown)?).with_live(live))
        }
        _ => Err(Fault::Unknown(Text::new("There is no such page.", "没有这个页面。"))),
    }
}

/// Puts those who have an account before the contacts.
fn people(shared: &Shared, contacts: Vec<NamedView>) -> Vec<NamedView> {
    let accounts = shared.guard.roll.now();
    let named = |name: &str| NamedView { name: name.to_owned(), ..NamedView::default() };
    let may_act = accounts.iter().filter(|account| account.role >= Role::Operate);
    may_act.map(|account| named(&account.name)).chain(contacts).collect()
}

/// Answers whoever asks for a page.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    uri: Uri,
) -> Response {
    let query = Query::of(uri.query().unwrap_or_default());
    let shown = show(&shared, &visit, uri.path(), &query).await;
    let mut response = answer(&shared, &visit, &uri, shown);
    let headers = response.headers_mut();
    if query.get("lang").is_some() {
        let language = visit.language.tag();
        let line = format!("lang={language}; Path=/; SameSite=Lax; Max-Age=31536000");
        headers.extend(HeaderValue::from_str(&line).map(|line| (SET_COOKIE, line)).ok());
    }
    if !visit.said.is_empty() {
        let gone = HeaderValue::from_static("said=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
        headers.append(SET_COOKIE, gone);
    }
    response
}

fn answer(shared: &Shared, visit: &Visit, uri: &Uri, shown: Result<Shown, Fault>) -> Response {
    let (status, shown) = match shown {
        Ok(shown) => (StatusCode::OK, shown),
        Err(Fault::Unknown(words)) => (StatusCode::NOT_FOUND, Shown::new("fault.html", words)),
        Err(Fault::Closed(words)) => (StatusCode::FORBIDDEN, Shown::new("fault.html", words)),
    };
    render(shared, visit, uri, status, &shown)
}

/// Answers a form that is not taken, in the language of its page.
pub(super) fn refuse(shared: &Shared, visit: &Visit, refused: Refused) -> Response {
    let shown = Shown::new("fault.html", refused.words());
    // Where to go back to, nobody knows who does not trust the form.
    render(shared, visit, &Uri::from_static("/"), refused.status(), &shown)
}

/// Makes the answer of a page that was asked for.
pub(super) fn render(
    shared: &Shared,
    visit: &Visit,
    uri: &Uri,
    status: StatusCode,
    shown: &Shown,
) -> Response {
    let here = uri.path_and_query().map_or("/", |here| here.as_str());
    match shared.templates.render(shown, visit, here) {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
