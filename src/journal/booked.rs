//! What persons do that is no input of the pipeline, as lines of JSON beside the journal. Page and
//! shell write it alike, also where no weir is at work. Logins have a file of their own: anybody
//! can try to, and must not push out what was done. Of each there is a file before, which goes when
//! the next is full.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::Path;

use crate::domain::booked::Booked;

/// How long a file may become, bytes; then it takes the place of the one before.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// How long each text of a line may be, bytes; the rest is cut off.
const TEXT_BYTES_MAX: usize = 500;

/// The names of the files: of acts and of logins, each with the one before.
const ACTS: [&str; 2] = ["acts.jsonl", "acts.before.jsonl"];
const LOGINS: [&str; 2] = ["logins.jsonl", "logins.before.jsonl"];

/// Writes down what somebody did.
///
/// # Errors
/// The file can't be written.
pub fn book(folder: &Path, booked: &Booked) -> io::Result<()> {
    book_until(folder, booked, FILE_BYTES_MAX)
}

fn book_until(folder: &Path, booked: &Booked, bytes_max: u64) -> io::Result<()> {
    let [new, before] = if booked.what.is_of_login() { LOGINS } else { ACTS };
    fs::create_dir_all(folder)?;
    let mut file = open(folder, new)?;
    if file.metadata()?.len() >= bytes_max {
        fs::rename(folder.join(new), folder.join(before))?;
        file = open(folder, new)?;
    }
    let mut line = Vec::new();
    if !ends_whole(&mut file)? {
        line.push(b'\n');
    }
    let mut booked = booked.clone();
    for text in [&mut booked.person, &mut booked.about, &mut booked.words] {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    }
    serde_json::to_writer(&mut line, &booked)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

/// Opens a file for one who writes at its end, and keeps others out meanwhile. Its owner is that of
/// the folder, so that weir can write on what an administrator began.
fn open(folder: &Path, name: &str) -> io::Result<File> {
    let mut options = File::options();
    let file = options.read(true).append(true).create(true).mode(0o600).open(folder.join(name))?;
    file.lock()?;
    let owner = fs::metadata(folder)?;
    if file.metadata()?.uid() != owner.uid() {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// Says whether the last line is whole: one that was being written when power failed is not.
fn ends_whole(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Gives what was written down, in the order in which it was. Lines that can't be read are left
/// out.
///
/// # Errors
/// A file is there and can't be read.
pub fn booked(folder: &Path) -> io::Result<Vec<Booked>> {
    let mut all = Vec::new();
    for name in ACTS.iter().rev().chain(LOGINS.iter().rev()) {
        match fs::read(folder.join(name)) {
            Ok(bytes) => {
                let lines = bytes.split(|byte| *byte == b'\n');
                all.extend(lines.filter_map(|line| serde_json::from_slice::<Booked>(line).ok()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    all.sort_by_key(|one| one.at_ms);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::booked::{Way, What};

    fn act(at_ms: i64, what: What) -> Booked {
        let (person, about, words) = ("li.na".to_owned(), String::new(), "x".repeat(2_000));
        Booked { at_ms, person, way: Way::Page, what, about, words }
    }

    fn times(folder: &Path) -> Vec<i64> {
        booked(folder).unwrap().iter().map(|one| one.at_ms).collect()
    }

    #[test]
    fn what_is_booked_is_read_in_order_of_time_and_its_texts_are_cut() {
        let folder = tempfile::TempDir::new().unwrap();
        assert_eq!(times(folder.path()), [] as [i64; 0]);
        for (at, what) in [(2, What::LoggedIn), (1, What::ChannelTested), (3, What::RoleSet)] {
            book(folder.path(), &act(at, what)).unwrap();
        }
        assert_eq!(times(folder.path()), [1, 2, 3]);
        let read = booked(folder.path()).unwrap();
        assert_eq!((read[0].what, read[0].words.len()), (What::ChannelTested, TEXT_BYTES_MAX));
        let mode = fs::metadata(folder.path().join("acts.jsonl")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_broke_off_costs_no_other() {
        let folder = tempfile::TempDir::new().unwrap();
        book(folder.path(), &act(1, What::RoleSet)).unwrap();
        let mut file = File::options().append(true).open(folder.path().join("acts.jsonl")).unwrap();
        file.write_all(b"{\"at_ms\":2,\"per").unwrap();
        book(folder.path(), &act(3, What::RoleSet)).unwrap();
        assert_eq!(times(folder.path()), [1, 3]);
    }

    #[test]
    fn a_full_file_takes_the_place_of_the_one_before_and_logins_push_out_no_act() {
        let folder = tempfile::TempDir::new().unwrap();
        let most = 5_000;
        book_until(folder.path(), &act(0, What::AccountAdded), most).unwrap();
        for at in 1..=60 {
            book_until(folder.path(), &act(at, What::LoginRefused), most).unwrap();
        }
        let times = times(folder.path());
        assert_eq!((times[0], times.last()), (0, Some(&60)));
        assert!((9..=20).contains(&times.len()), "{times:?}");
        for name in LOGINS {
            let length = fs::metadata(folder.path().join(name)).unwrap().len();
            assert!(length < most + 700, "{name}: {length}");
        }
    }
}
