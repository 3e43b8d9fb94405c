//! Dead letters that are run again: those of some numbers, or all of a kind.

use std::collections::HashSet;
use std::path::Path;

use crate::daemon::came::{Came, Refusal};
use crate::daemon::core::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX};
use crate::daemon::run::Commands;
use crate::http::house::Retry;
use crate::journal::batch::{DeadLetter, DeadLetterId};
use crate::journal::read::{LetterKind, Reader};

/// How many dead letters one request runs again at most; it says how many it leaves.
const RETRIED_MAX: u32 = 10_000;

/// Runs dead letters again and says what came of it.
///
/// # Errors
/// The journal can't be read, or the daemon has ended.
pub(super) async fn numbers(
    data_folder: &Path,
    commands: &Commands,
    ids: &[i64],
) -> anyhow::Result<Came> {
    let mut seen = HashSet::new();
    let ids: Vec<i64> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
    let mut ids = ids.iter();
    let (mut tried, mut ended_well) = (0, 0);
    loop {
        let committed = commands.committed();
        let letters = portion(&Reader::open(data_folder)?, &mut ids)?;
        if letters.is_empty() {
            return Ok(Came::Retried { tried, ended_well });
        }
        tried += letters.len();
        ended_well += commands.retry(letters, committed).await?;
    }
}

/// Runs those again that are asked for on the page or by a program.
///
/// # Errors
/// The journal can't be read, or the daemon has ended. The inner result: what is wrong.
pub(super) async fn asked(
    data_folder: &Path,
    commands: &Commands,
    asked: &Retry,
) -> anyhow::Result<Result<Vec<Came>, Refusal>> {
    let Retry { ids, device, channel, code } = asked;
    let kind = LetterKind {
        device: device.as_deref(),
        channel: channel.as_deref(),
        code: code.as_deref(),
    };
    let is_kind = kind != LetterKind::default();
    if ids.is_empty() != is_kind {
        return Ok(Err(Refusal::Letters));
    }
    let ids = match is_kind {
        true => {
            Reader::open(data_folder)?.letter_numbers(kind, DeadLetterId(0), RETRIED_MAX + 1)?
        }
        false => ids.clone(),
    };
    let most = usize::try_from(RETRIED_MAX).unwrap_or(usize::MAX);
    let now = ids.get(..most).unwrap_or(&ids);
    let mut came = vec![numbers(data_folder, commands, now).await?];
    if now.len() < ids.len() {
        came.push(Came::MoreLetters(RETRIED_MAX));
    }
    Ok(Ok(came))
}

/// Names the letters that are asked for.
pub(super) fn which(asked: &Retry) -> String {
    let ids: Vec<String> = asked.ids.iter().map(ToString::to_string).collect();
    let named = |name: &Option<String>| match name.as_deref() {
        None | Some("") => "-".to_owned(),
        Some(name) => name.to_owned(),
    };
    if ids.is_empty() {
        let [device, channel, code] = [&asked.device, &asked.channel, &asked.code].map(named);
        format!("device {device}, channel {channel}, reason {code}")
    } else {
        format!("dead letters {}", ids.join(" "))
    }
}

/// Reads so many letters as one batch may hold: all of them at once may not fit into memory.
fn portion<'i>(
    reader: &Reader,
    ids: &mut impl Iterator<Item = &'i i64>,
) -> anyhow::Result<Vec<(DeadLetterId, DeadLetter)>> {
    let (mut letters, mut bytes) = (Vec::new(), 0);
    while letters.len() < BATCH_MESSAGES_MAX && bytes < BATCH_BYTES_MAX {
        let Some(id) = ids.next() else { break };
        let held = reader.dead_letter(DeadLetterId(*id))?;
        // What is cut off is never whole again.
        let held = held.filter(|held| held.retried_at.is_none());
        if let Some(held) = held.filter(|held| &*held.letter.code != "payload_too_long") {
            bytes += held.letter.topic.len() + held.letter.payload.len();
            letters.push((held.id, held.letter));
        }
    }
    Ok(letters)
}
