//! Cases of `tests/replay/`: what arrives, and what comes of it. A new folder is a new test.
//! `WEIR_EXPECT=write cargo test --test replay` writes the expectations anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod play;

use play::case::{self, Between};

#[test]
fn every_case_causes_what_is_expected() {
    let write = std::env::var("WEIR_EXPECT").is_ok_and(|word| word == "write");
    let mut differ = String::new();
    for folder in case::all() {
        let told = case::play(&folder, Between::Nothing).told;
        let path = folder.join("expected.txt");
        if write {
            std::fs::write(&path, &told).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if expected != told {
            let name = folder.file_name().unwrap().display();
            differ.push_str(&format!("\n== {name}\n{}", difference(&expected, &told)));
        }
    }
    assert!(differ.is_empty(), "{differ}\nIf it is right: WEIR_EXPECT=write");
}

#[test]
fn a_snapshot_after_every_arrival_changes_nothing() {
    for folder in case::all() {
        let whole = case::play(&folder, Between::Nothing);
        let torn = case::play(&folder, Between::Restart);
        assert_eq!(whole.told, torn.told, "{}", folder.display());
        play::assert_same_state(&whole.pipeline, &torn.pipeline);
    }
}

#[test]
fn what_fires_is_found_again_in_a_snapshot_without_a_desk() {
    for folder in case::all() {
        case::play(&folder, Between::FindDesk);
    }
}

#[test]
fn what_the_journal_keeps_of_a_case_replays_to_the_same() {
    for folder in case::all() {
        case::play(&folder, Between::Nothing).replay();
    }
}

/// Shows where two texts differ: lines of the one with `-`, of the other with `+`, a few around.
fn difference(expected: &str, told: &str) -> String {
    const AROUND: usize = 2;
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), told.lines().collect());
    // The longest common rest of every two places.
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    let near = |at: usize| {
        let around = lines[at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len())].iter();
        around.clone().any(|(sign, _)| *sign != ' ')
    };
    let mut shown = String::new();
    for (at, (sign, line)) in lines.iter().enumerate().filter(|(at, _)| near(*at)) {
        if at > 0 && !near(at - 1) {
            shown.push_str("...\n");
        }
        shown.push_str(&format!("{sign} {line}\n"));
    }
    shown
}

#[test]
fn a_difference_is_shown_with_what_stands_around_it() {
    let shown = difference("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\nx\nf\n");
    assert_eq!(shown, "...\n  c\n  d\n- e\n+ x\n  f\n");
}
