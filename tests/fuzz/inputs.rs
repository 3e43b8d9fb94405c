//! Inputs of the journal: any bytes are read as far as weir could have written them, written again
//! to the same, and replayed without harm.

use std::sync::Arc;

use weir::domain::input::{Act, Arrival, Input};
use weir::domain::time::Moment;
use weir::journal::inputs::{Inputs, Kept, Torn, Unpacked};
use weir::pipeline::{Pipeline, Processed};

use super::EXAMPLE;

fn input<'a>(kept: &Kept<'a>) -> Option<Input<'a>> {
    match kept {
        Kept::Message(message) => Some(Input::Message(*message)),
        Kept::Tick => Some(Input::Tick),
        Kept::Act(act) => Some(Input::Act(*act)),
        Kept::Condition(condition) => Some(Input::Condition(*condition)),
        Kept::Recompute(recomputed) => Some(Input::Recompute(Arc::clone(recomputed))),
        Kept::AlertAct(act) => Some(Input::AlertAct(Arc::clone(act))),
        // An edition stands elsewhere.
        Kept::Edition(_) => None,
    }
}

pub(crate) fn body(bytes: &[u8]) {
    let mut kept = Vec::new();
    let mut torn = false;
    for read in Unpacked::new(bytes) {
        assert!(!torn, "something follows what can't be read");
        match read {
            Ok(read) => kept.push(read),
            Err(_) => torn = true,
        }
    }
    // The shortest input is its kind and two numbers.
    assert!(kept.len() <= bytes.len() / 3);
    let mut again = Inputs::default();
    let mut wrote = Vec::new();
    for (at, kept) in &kept {
        if let Some(input) = input(kept) {
            again.push(&Arrival { at: *at, input });
            wrote.push((*at, kept.clone()));
        }
    }
    assert_eq!(again.count(), wrote.len() as u64);
    let read: Result<Vec<_>, _> = Unpacked::new(again.bytes()).collect();
    // As text, because a number may be none, and is not equal to itself then.
    assert_eq!(format!("{read:?}"), format!("{:?}", Ok::<_, Torn>(&wrote)));
    if !wrote.is_empty() {
        replay(&wrote);
    }
}

fn replay(kept: &[(Moment, Kept<'_>)]) {
    let mut pipeline = Pipeline::new(Arc::clone(&EXAMPLE), Moment::default());
    let mut processed = Processed::default();
    for (at, kept) in kept {
        let Some(input) = input(kept) else { continue };
        let is_message = matches!(input, Input::Message(_) | Input::Act(Act::Retry { .. }));
        pipeline.process(&Arrival { at: *at, input }, &mut processed);
        assert_eq!(processed.fate.is_some(), is_message, "every message ends somewhere");
    }
}
