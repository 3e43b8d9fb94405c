//! Pictures of pages, for the eyes of whoever changes them and for `docs/operate.md`.

use std::fs;
use std::path::Path;

use crate::driver::Browser;

/// How much of a long page a picture holds, pixels.
const HEIGHT_MAX: u64 = 2_400;
/// What `docs/` shows of a page, as much as a screen does.
const SHOWN_HEIGHT: u64 = 900;

/// Takes a picture into `target/tmp/pictures`.
#[track_caller]
pub fn take(browser: &Browser, name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.png")), browser.picture(HEIGHT_MAX)).unwrap();
}

/// Takes a picture that `docs/` shows; with `WEIR_PICTURES=write` it is put there.
#[track_caller]
pub fn show(browser: &Browser, name: &str) {
    let picture = browser.picture(SHOWN_HEIGHT);
    assert!(picture.starts_with(b"\x89PNG"));
    let file = format!("{name}.png");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    if std::env::var("WEIR_PICTURES").is_ok_and(|word| word == "write") {
        fs::create_dir_all(&docs).unwrap();
        fs::write(docs.join(&file), &picture).unwrap();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures/docs");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(&file), picture).unwrap();
}
