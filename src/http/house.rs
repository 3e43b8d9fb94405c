//! The page about weir itself, and what an administrator does on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::http::door::{Acted, Answering};
#[cfg(test)]
use crate::http::view::Text;
use crate::http::view::letter::LetterPage;
use crate::http::view::weir::{EditionView, WeirView};

/// Which dead letters are to be run again: those of some numbers, or of a device and reason.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Retry {
    /// Their numbers.
    #[serde(default)]
    pub ids: Vec<i64>,
    /// The device; empty of an unknown one.
    pub device: Option<String>,
    /// The channel; empty where it is the whole message.
    pub channel: Option<String>,
    /// The reason, in a word.
    pub code: Option<String>,
}

/// Where the page gets what it shows and has done.
pub struct Source {
    /// What is shown.
    pub page: Box<dyn Fn() -> WeirView + Send + Sync>,
    /// What the folder of the seeds would change.
    pub edition: Box<dyn Fn() -> Answering<EditionView> + Send + Sync>,
    /// One dead letter; nothing where none of this number is kept.
    pub letter: Box<dyn Fn(i64) -> Option<LetterPage> + Send + Sync>,
    /// Runs dead letters again, for a person.
    pub retry: Box<dyn Fn(Retry, String) -> Answering<Acted> + Send + Sync>,
    /// Sends a test to a channel, for a person.
    pub test: Box<dyn Fn(String, String) -> Answering<Acted> + Send + Sync>,
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source").finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Source {
    /// A house in which nothing is shown and everything is done.
    pub(super) fn empty() -> Self {
        Self {
            page: Box::new(WeirView::default),
            edition: Box::new(|| Box::pin(async { EditionView::default() })),
            letter: Box::new(|_| None),
            retry: Box::new(|retry, _| {
                Box::pin(async move { Ok(vec![Text::same(retry.ids.len().to_string())]) })
            }),
            test: Box::new(|name, _| Box::pin(async move { Ok(vec![Text::same(name)]) })),
        }
    }
}
