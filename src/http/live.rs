//! News for pages that are looked at: the blocks of a page that have changed, once a second. What a
//! page shows is made once for all who look at it, so that lookers cost little more than the bytes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{StatusCode, Uri};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};

use crate::http::door::Shared;
use crate::http::pages::{self, Query};
use crate::http::visit::{Language, Role, Visit};

/// How often pages are made anew while somebody looks at them.
const EVERY: Duration = Duration::from_secs(1);
/// After how long a browser comes back whose connection ended, as each does after a minute: before
/// the page calls it lost.
const BACK: Duration = Duration::from_millis(500);
/// How many different pages are kept up at once; whoever looks at one more reloads it.
const TOPICS_MAX: usize = 64;
/// How long an address may be that is kept up.
const HERE_BYTES_MAX: usize = 1_024;

/// A page as it is kept up: nothing in its live blocks is of one person only.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Topic {
    here: String,
    language: Language,
    role: Role,
}

/// The blocks of a page, each with its name, and a number that grows as they are made.
#[derive(Clone, Debug, Default)]
struct Made {
    number: u64,
    blocks: Vec<(String, Arc<str>)>,
}

/// The pages that are looked at.
#[derive(Debug, Default)]
pub(super) struct Hub(Mutex<HashMap<Topic, watch::Receiver<Made>>>);

/// Streams what changes on the page of `of`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    uri: Uri,
) -> Response {
    let query = Query::of(uri.query().unwrap_or_default());
    let Some(here) = query.get("of").filter(|here| here.len() <= HERE_BYTES_MAX) else {
        return (StatusCode::BAD_REQUEST, "of: the page is missing\n").into_response();
    };
    let topic = Topic { here: here.to_owned(), language: visit.language, role: visit.role };
    match join(&shared, topic) {
        Some(made) => Sse::new(news(made)).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "too many pages are kept up\n").into_response(),
    }
}

/// Looks at a page; begins to keep it up where nobody does yet.
fn join(shared: &Arc<Shared>, topic: Topic) -> Option<watch::Receiver<Made>> {
    let mut held = shared.hub.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Where the sender has gone, nobody makes it any more.
    held.retain(|_, made| made.has_changed().is_ok());
    if let Some(made) = held.get(&topic) {
        return Some(made.clone());
    }
    if held.len() >= TOPICS_MAX {
        return None;
    }
    let (sender, made) = watch::channel(Made::default());
    held.insert(topic.clone(), made.clone());
    tokio::spawn(keep_up(Arc::clone(shared), topic, sender));
    Some(made)
}

/// Makes a page once a second, as long as somebody looks at it.
async fn keep_up(shared: Arc<Shared>, topic: Topic, sender: watch::Sender<Made>) {
    let Topic { here, language, role } = &topic;
    let visit = Visit::anybody(*language, *role);
    let (path, query) = here.split_once('?').unwrap_or((here, ""));
    let query = Query::of(query).kept_up_only();
    let mut beat = interval(EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The hub holds one receiver.
    while sender.receiver_count() > 1 {
        beat.tick().await;
        let shown = pages::show(&shared, &visit, path, &query).await;
        let blocks = shown.ok().and_then(|shown| shared.templates.live(&shown, &visit, here).ok());
        sender.send_modify(|made| {
            made.number += 1;
            for (name, html) in blocks.unwrap_or_default() {
                match made.blocks.iter_mut().find(|(held, _)| *held == name) {
                    Some((_, held)) if **held == *html => {}
                    Some((_, held)) => *held = html.into(),
                    None => made.blocks.push((name, html.into())),
                }
            }
        });
    }
    shared.hub.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&topic);
}

/// Gives what one looker has not seen yet, each second, also if that is nothing: then they know
/// that weir is there.
fn news(made: watch::Receiver<Made>) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut seen: HashMap<String, Arc<str>> = HashMap::new();
    let made = WatchStream::new(made).filter(|made| made.number > 0);
    made.map(move |made| {
        let mut changed = Map::new();
        for (name, html) in made.blocks {
            if seen.get(&name).is_some_and(|held| Arc::ptr_eq(held, &html)) {
                continue;
            }
            changed.insert(name.clone(), Value::from(&*html));
            seen.insert(name, html);
        }
        Ok(Event::default().retry(BACK).data(Value::Object(changed).to_string()))
    })
}
