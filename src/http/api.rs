//! The interface of programs, `/api/v1`: what the pages show and do, as JSON. `openapi.json` says
//! what there is; errors are problem details (RFC 9457).

pub mod asked;
pub(super) mod problem;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Extension, Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::domain::asked::{Asked, Of};
use crate::domain::observation::Period;
use crate::http::api::asked::{Answer, Found, Part, Refused, Wanted, Within};
use crate::http::api::problem::{Kind, Problem};
use crate::http::door::{Answering, Shared};
use crate::http::form;
use crate::http::house::Retry;
use crate::http::pages::Query;
use crate::http::view::Text;
use crate::http::visit::{Role, Visit};

/// How many entries one answer has at most; `limit` may ask for fewer.
const LISTED_MAX: usize = 1_000;
/// How many entries an answer has where `limit` is not given.
const LISTED: usize = 100;
/// How many bytes the body of a request may have; a longer one is refused.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The description of the interface, OpenAPI 3.1.
const OPENAPI: &str = include_str!("openapi.json");

/// Where the interface gets what it answers.
pub struct Source {
    /// Answers what is asked for.
    pub get: Box<dyn Fn(Wanted) -> Answering<Answer> + Send + Sync>,
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source").finish_non_exhaustive()
    }
}

/// Answers a program.
pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let parts: Vec<&str> = path.split('/').collect();
    let query = Query::of(request.uri().query().unwrap_or_default());
    if *request.method() == Method::POST {
        return match posted(&shared, &visit, &parts, &query, request).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        };
    }
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    match (parts.as_slice(), is_get) {
        (["acts"], false) => Problem::allowing("GET, POST").into_response(),
        (["dead-letters", "retry"] | ["channels", _, "test"], _) => {
            Problem::allowing("POST").into_response()
        }
        (_, false) => Problem::allowing("GET").into_response(),
        (["openapi.json"], true) => ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response(),
        (["problems"], true) => Json(problem::kinds()).into_response(),
        (parts, true) => match got(&shared, parts, &query, request.uri().path()).await {
            Ok(body) => Json(body).into_response(),
            Err(problem) => problem.into_response(),
        },
    }
}

async fn got(shared: &Shared, parts: &[&str], query: &Query, path: &str) -> Result<Value, Problem> {
    let wanted = wanted(parts, query)?;
    match (shared.source.api.get)(wanted).await {
        Ok(Found::One(value)) => Ok(value),
        Ok(Found::List { value, next }) => {
            let next = next.map(|(key, value)| {
                let mut pairs = url::form_urlencoded::Serializer::new(String::new());
                pairs.extend_pairs(query.pairs().filter(|(held, _)| *held != key));
                format!("{path}?{}", pairs.append_pair(key, &value).finish())
            });
            Ok(json!({ "value": value, "next": next }))
        }
        Err(Refused::Unknown(words)) => Err(Problem::new(Kind::Unknown, words)),
        Err(Refused::Wrong(faults)) => Err(Problem::several(Kind::Wrong, faults)),
        Err(Refused::NotYet) => Err(Problem::new(Kind::NotYet, "ask again in some seconds")),
        Err(Refused::Broken(words)) => Err(Problem::new(Kind::Broken, words)),
        Err(Refused::Away(words)) => Err(Problem::new(Kind::Away, words)),
        Err(Refused::NotKept(words)) => Err(Problem::new(Kind::NotKept, words)),
    }
}

/// Reads what is asked for of an address.
fn wanted(parts: &[&str], query: &Query) -> Result<Wanted, Problem> {
    let keys = Keys { query };
    Ok(match *parts {
        ["stations"] => {
            keys.only(&["place", "limit", "after"])?;
            Wanted::Stations { place: keys.text("place"), part: keys.part()? }
        }
        ["stations", name] => keys.none(Wanted::Station(name.to_owned()))?,
        ["stations", name, "datastreams"] => keys.none(Wanted::Datastreams(name.to_owned()))?,
        ["datastreams"] => {
            keys.only(&["datastream"])?;
            Wanted::Datastream(keys.needed("datastream", "such as daoyi/inlet/ph")?)
        }
        ["observations"] => {
            keys.only(&["datastream", "period", "stored", "from", "to", "limit"])?;
            let such_as = "as /api/v1/stations/{name}/datastreams lists them";
            let datastream = keys.needed("datastream", such_as)?;
            let (period, stored) = (keys.period()?, keys.truth("stored")?);
            Wanted::Observations { datastream, period, stored, within: keys.within()? }
        }
        ["assessments"] => {
            keys.only(&["station"])?;
            Wanted::Assessments(keys.needed("station", "as /api/v1/stations lists them")?)
        }
        ["assessments", "history"] => {
            keys.only(&["station", "subject", "from", "to", "limit"])?;
            let station = keys.needed("station", "as /api/v1/stations lists them")?;
            Wanted::Judged { station, subject: keys.text("subject"), within: keys.within()? }
        }
        ["alerts"] => {
            let known = ["place", "station", "property", "rule", "route"];
            keys.only(&[&known[..], &["held", "limit", "after"]].concat())?;
            let [place, station, property, rule, route] = known.map(|key| keys.text(key));
            let of = Of { place, station, property, rule, route, ..Of::default() };
            Wanted::Alerts { of, all: keys.truth("held")?, part: keys.part()? }
        }
        ["alerts", "history"] => {
            keys.only(&["station", "from", "to", "limit"])?;
            Wanted::History { station: keys.text("station"), within: keys.within()? }
        }
        ["alerts", id] => {
            let wrong = || Problem::new(Kind::Wrong, format!("`{id}`: expected an alert's number"));
            keys.none(Wanted::Alert(id.parse().map_err(|_| wrong())?))?
        }
        ["silences"] => keys.none(Wanted::Silences)?,
        ["acts"] => {
            keys.only(&["from", "to", "limit"])?;
            Wanted::Acts(keys.within()?)
        }
        ["ledger"] => keys.none(Wanted::Ledger)?,
        ["dead-letters"] => {
            keys.only(&["limit", "after"])?;
            Wanted::Letters(keys.part()?)
        }
        ["dead-letters", "counts"] => keys.none(Wanted::LetterCounts)?,
        ["brokers"] => keys.none(Wanted::Brokers)?,
        ["sinks"] => keys.none(Wanted::Sinks)?,
        ["channels"] => keys.none(Wanted::Channels)?,
        ["edition"] => keys.none(Wanted::Edition)?,
        ["status"] => keys.none(Wanted::Status)?,
        _ => {
            let words = "there is no such address; see /api/v1/openapi.json";
            return Err(Problem::new(Kind::Unknown, words));
        }
    })
}

/// The keys of a query, each of which must be known.
struct Keys<'q> {
    query: &'q Query,
}

impl Keys<'_> {
    /// Refuses keys that the address does not know, and one that is there twice.
    fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let mut seen: Vec<&str> = Vec::new();
        let mut faults = Vec::new();
        for (key, _) in self.query.pairs() {
            let names = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            if !known.contains(&key) {
                faults.push(format!("key `{key}` is not known here; known: {names}"));
            } else if seen.contains(&key) {
                faults.push(format!("key `{key}` is there twice; give it once"));
            }
            seen.push(key);
        }
        if faults.is_empty() { Ok(()) } else { Err(Problem::several(Kind::Wrong, faults)) }
    }

    fn none(&self, wanted: Wanted) -> Result<Wanted, Problem> {
        self.only(&[]).map(|()| wanted)
    }

    fn text(&self, key: &str) -> Option<String> {
        self.query.get(key).map(str::to_owned)
    }

    fn needed(&self, key: &str, such_as: &str) -> Result<String, Problem> {
        let missing = || Problem::new(Kind::Wrong, format!("key `{key}` is missing: {such_as}"));
        self.text(key).ok_or_else(missing)
    }

    fn count(&self) -> Result<usize, Problem> {
        let Some(text) = self.query.get("limit") else { return Ok(LISTED) };
        let count = text.parse().ok().filter(|count| (1..=LISTED_MAX).contains(count));
        let wrong = || {
            format!(
                "limit `{text}`: expected a number from 1 to {LISTED_MAX}; what is more stands \
                 behind `next` of the answer"
            )
        };
        count.ok_or_else(|| Problem::new(Kind::Wrong, wrong()))
    }

    fn part(&self) -> Result<Part, Problem> {
        Ok(Part { after: self.text("after"), count: self.count()? })
    }

    fn within(&self) -> Result<Within, Problem> {
        Ok(Within { from: self.text("from"), to: self.text("to"), count: self.count()? })
    }

    /// Reads a key that is true unless it says otherwise.
    fn truth(&self, key: &str) -> Result<bool, Problem> {
        match self.query.get(key) {
            None | Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => {
                let words = format!("{key} `{other}`: expected true or false");
                Err(Problem::new(Kind::Wrong, words))
            }
        }
    }

    fn period(&self) -> Result<Period, Problem> {
        let Some(word) = self.query.get("period") else { return Ok(Period::Native) };
        Period::from_word(word).ok_or_else(|| {
            let words = Period::AVERAGED.map(Period::word).join(", ");
            let words = format!("period `{word}`: expected native, {words}");
            Problem::new(Kind::Wrong, words)
        })
    }
}

/// Does what is posted.
async fn posted(
    shared: &Shared,
    visit: &Visit,
    parts: &[&str],
    query: &Query,
    request: Request,
) -> Result<Response, Problem> {
    let role = match parts {
        ["acts"] => Role::Operate,
        ["dead-letters", "retry"] | ["channels", _, "test"] => Role::Admin,
        _ => {
            // What is not there is said so; what is there takes no POST.
            wanted(parts, &Query::default())
                .map(|_| ())
                .or_else(|problem| if problem.is_unknown() { Err(problem) } else { Ok(()) })?;
            return Err(Problem::allowing("GET"));
        }
    };
    Keys { query }.only(&[])?;
    let (headers, body) = form::parts(request);
    if !form::is_our_own(&headers) {
        let words = "a browser may send this from weir's own pages only";
        return Err(Problem::new(Kind::Foreign, words));
    }
    if visit.role < role {
        let words = format!("this needs the role {}", role.word());
        return Err(Problem::new(Kind::Role, words));
    }
    if !is_json(&headers) {
        let words = "send the body with `Content-Type: application/json`";
        return Err(Problem::new(Kind::NotJson, words));
    }
    let too_long = |_| Problem::new(Kind::TooLong, "a body has at most 64 KiB");
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(too_long)?;
    let not_json = |fault| Problem::new(Kind::Wrong, format!("the body is no JSON: {fault}"));
    let body: Value = serde_json::from_slice(&bytes).map_err(not_json)?;
    let done = match *parts {
        ["channels", name, "test"] => {
            read::<Nothing>(&body)?;
            (shared.source.house.test)(name.to_owned(), visit.person.clone()).await
        }
        ["dead-letters", "retry"] => {
            (shared.source.house.retry)(read::<Retry>(&body)?, visit.person.clone()).await
        }
        _ => (shared.source.act)(act(body, &visit.person)?).await,
    };
    let english = |all: Vec<Text>| all.into_iter().map(|one| one.en).collect::<Vec<_>>();
    let done = done.map_err(|faults| Problem::several(Kind::Refused, english(faults)))?;
    Ok(Json(json!({ "words": english(done) })).into_response())
}

/// The body of what needs none: `{}`.
#[derive(serde::Serialize, serde::Deserialize)]
struct Nothing {}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Reads an act. Its person is that of the account.
fn act(mut body: Value, person: &str) -> Result<Asked, Problem> {
    if let Some(held) = body.as_object_mut() {
        if held.contains_key("person") {
            let words = "leave `person` out: it is the name of the account";
            return Err(Problem::new(Kind::Wrong, words));
        }
        held.insert("person".to_owned(), person.into());
    }
    read(&body)
}

/// Reads a body; a key that means nothing is refused, for it was meant to mean something.
fn read<T: serde::de::DeserializeOwned + serde::Serialize>(body: &Value) -> Result<T, Problem> {
    let wrong = |fault: serde_json::Error| Problem::new(Kind::Wrong, format!("the body: {fault}"));
    let read: T = serde_json::from_value(body.clone()).map_err(wrong)?;
    let known = serde_json::to_value(&read).map_err(wrong)?;
    let mut faults = Vec::new();
    unknown(body, &known, "", &mut faults);
    if faults.is_empty() { Ok(read) } else { Err(Problem::several(Kind::Wrong, faults)) }
}

/// Finds the keys of a body that were not read.
fn unknown(body: &Value, known: &Value, place: &str, faults: &mut Vec<String>) {
    let (Some(body), Some(known)) = (body.as_object(), known.as_object()) else { return };
    for (key, value) in body {
        match known.get(key) {
            Some(known) => unknown(value, known, &format!("{place}{key}."), faults),
            None => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                let names = names.join(", ");
                faults.push(format!("key `{place}{key}` is not known; known: {names}"));
            }
        }
    }
}
