//! What devices mark their values with, protocol by protocol.

use std::collections::HashMap;

use crate::domain::name::{MarkId, NameKind};
use crate::domain::observation::Side;
use crate::domain::quality::Flag;
use crate::domain::registry::{ANY_OTHER, Mark, MarkUse, UNKNOWN, Vocabulary, VocabularyIndex};
use crate::seed::draft::Draft;
use crate::seed::sheet::{Cells, DEVICE_MARKS, Sheets};

/// The cause of a mark that its vocabulary doesn't know.
const CAUSE_UNKNOWN: &str = "unknown_mark";

/// Reads `device_marks.csv`.
pub(super) fn marks(sheets: &Sheets, draft: &mut Draft) {
    let sheet = sheets.get(&DEVICE_MARKS);
    draft.marks.whole = sheet.has_all_rows();
    for row in &sheet.rows {
        let mut cells = sheet.cells(row, &mut draft.faults);
        let vocabulary: Box<str> = cells.name("vocabulary").into();
        cells.required("source");
        let text: Box<str> = cells.required("mark").into();
        if *text == *UNKNOWN {
            cells.refuse("mark", "a mark as devices write it, or `*` for every other one,");
        }
        let mark = Mark {
            id: MarkId(draft.names.id(NameKind::Mark, &format!("{vocabulary} {text}"))),
            vocabulary: vocabulary.clone(),
            text: text.clone(),
            quality: quality(&mut cells),
            censoring: cells.word(
                "censoring",
                ("", None),
                &[("below", Some(Side::Below)), ("above", Some(Side::Above))],
            ),
            cause: cause(&mut cells),
            usage: cells.word(
                "use",
                ("observation", MarkUse::Observation),
                &[("quality_control", MarkUse::QualityControl)],
            ),
        };
        if mark.censoring.is_some() && mark.quality == Flag::Fail {
            cells.refuse("censoring", "nothing for a value that failed: it bounds nothing,");
        }
        if mark.quality != Flag::Pass && mark.cause.is_empty() {
            cells.refuse("cause", "a word that says why, such as `maintenance`,");
        }
        if draft.registry.marks.get(mark.id).is_some() {
            cells.refuse("mark", "each mark of a vocabulary once");
        }
        let at = vocabulary_of(draft, &vocabulary);
        let Some(held) = draft.registry.marks.vocabularies.get_mut(usize::from(at.0)) else {
            continue;
        };
        if *text == *ANY_OTHER {
            held.other = mark.id;
        } else {
            held.ids.insert(text, mark.id);
        }
        draft.registry.marks.marks.put(mark.id.index(), mark);
    }
}

/// Gives the vocabulary of a name; a new one knows no mark.
fn vocabulary_of(draft: &mut Draft, name: &str) -> VocabularyIndex {
    let marks = &mut draft.registry.marks;
    if let Some(known) = marks.vocabulary(name) {
        return known;
    }
    let other = MarkId(draft.names.id(NameKind::Mark, &format!("{name} {UNKNOWN}")));
    let unknown = Mark {
        id: other,
        vocabulary: name.into(),
        text: UNKNOWN.into(),
        quality: Flag::Suspect,
        censoring: None,
        cause: CAUSE_UNKNOWN.into(),
        usage: MarkUse::Observation,
    };
    marks.marks.put(other.index(), unknown);
    let at = u16::try_from(marks.vocabularies.len()).unwrap_or(u16::MAX);
    marks.vocabularies.push(Vocabulary { name: name.into(), other, ids: HashMap::new() });
    draft.marks.ids.insert(name.into(), VocabularyIndex(at));
    VocabularyIndex(at)
}

fn quality(cells: &mut Cells<'_>) -> Flag {
    let words = &[("suspect", Flag::Suspect), ("fail", Flag::Fail)];
    cells.word("quality", ("pass", Flag::Pass), words)
}

/// Reads a cause: one word, because rules and routes name it.
fn cause(cells: &mut Cells<'_>) -> Box<str> {
    let text = cells.text("cause");
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !text.bytes().all(plain) {
        cells.refuse("cause", "a word of small letters, digits and `_`");
    }
    text.into()
}
