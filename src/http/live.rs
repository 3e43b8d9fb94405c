//! News for pages that are looked at: the blocks of a page that have changed, once a second, and
//! what has to be fetched for it once a minute. What a page shows is made once for all who look at
//! it, so that lookers cost little more than the bytes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};

use crate::http::door::Shared;
use crate::http::pages::{self, KeptUp, Query};
use crate::http::visit::{Language, Role, Visit};

/// How often pages are made anew while somebody looks at them.
const EVERY: Duration = Duration::from_secs(1);
/// How often of these what has to be fetched is made anew, too: each of the pages that are kept up
/// asks the database no more often than that, however many look at it.
const FETCHED_EVERY: u64 = 60;
/// The block of what is fetched.
const FETCHED: &str = "live_series";
/// After how long a browser comes back whose connection ended, as each does after a minute: before
/// the page calls it lost.
const BACK: Duration = Duration::from_millis(500);
/// For how many of these a page is kept up that nobody looks at: connections end, and browsers come
/// back.
const ALONE_MAX: u32 = 3;
/// The header in which a browser says what it had last.
const LAST_SEEN: &str = "last-event-id";
/// How many different pages are kept up at once; whoever looks at one more reloads it.
pub(super) const TOPICS_MAX: usize = 64;
/// How long an address may be that is kept up.
pub(super) const HERE_BYTES_MAX: usize = 1_024;

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
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let query = Query::of(uri.query().unwrap_or_default());
    let Some(here) = query.get("of").filter(|here| here.len() <= HERE_BYTES_MAX) else {
        return (StatusCode::BAD_REQUEST, "of: the page is missing\n").into_response();
    };
    let topic = Topic { here: here.to_owned(), language: visit.language, role: visit.role };
    match join(&shared, topic) {
        // A browser that comes back says what it had last.
        Some(made) => Sse::new(news(made, headers.contains_key(LAST_SEEN))).into_response(),
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
    let query = Query::of(query);
    // Whoever begins to look has just been given all of it.
    let mut beats = 0_u64;
    let mut beat = interval(EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut alone = 0;
    while alone < ALONE_MAX {
        // The hub holds one receiver.
        alone = if sender.receiver_count() > 1 { 0 } else { alone + 1 };
        beat.tick().await;
        let is_due = beats > 0 && beats.is_multiple_of(FETCHED_EVERY);
        beats += 1;
        let query = query.kept_up_by(if is_due { KeptUp::Fetched } else { KeptUp::Hand });
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
/// that weir is there. Whoever did not come `back` has just loaded the page: what was fetched for
/// others before is older than what they have.
fn news(made: watch::Receiver<Made>, back: bool) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut seen: HashMap<String, Arc<str>> = HashMap::new();
    let mut has_newer = !back;
    let made = WatchStream::new(made).filter(|made| made.number > 0);
    made.map(move |made| {
        let mut changed = Map::new();
        let older = std::mem::take(&mut has_newer).then_some(FETCHED);
        for (name, html) in made.blocks {
            if older == Some(&*name) {
                seen.insert(name, html);
                continue;
            }
            if seen.get(&name).is_some_and(|held| Arc::ptr_eq(held, &html)) {
                continue;
            }
            changed.insert(name.clone(), Value::from(&*html));
            seen.insert(name, html);
        }
        let event = Event::default().id(made.number.to_string()).retry(BACK);
        Ok(event.data(Value::Object(changed).to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(number: u64, blocks: &[(&str, &str)]) -> Made {
        let blocks = blocks.iter().map(|(name, html)| ((*name).to_owned(), (*html).into()));
        Made { number, blocks: blocks.collect() }
    }

    /// Gives what somebody is told at first, and after the next drawing.
    async fn told(back: bool) -> [String; 2] {
        let before = made(7, &[("live_station", "6.5"), (FETCHED, "drawn before")]);
        let (sender, receiver) = watch::channel(before);
        let shown = Sse::new(news(receiver, back)).into_response();
        let mut body = shown.into_body().into_data_stream();
        let first = body.next().await.unwrap().unwrap();
        sender.send(made(8, &[("live_station", "6.5"), (FETCHED, "drawn anew")])).unwrap();
        let second = body.next().await.unwrap().unwrap();
        [first, second].map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn who_has_just_loaded_a_page_is_not_given_an_older_drawing() {
        let [first, second] = told(false).await;
        assert!(first.contains("6.5") && first.contains("id: 7"), "{first}");
        assert!(!first.contains("drawn"), "{first}");
        assert!(second.contains("drawn anew"), "{second}");
        let [first, second] = told(true).await;
        assert!(first.contains("drawn before") && second.contains("drawn anew"), "{first}");
    }
}
