//! The clock of a process, which a test sets while it runs: libfaketime, loaded before weir.
#![allow(dead_code, unreachable_pub, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What is stepped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stepped {
    /// The wall alone, as if somebody had set it.
    Wall,
    /// Elapsed time too, as if so much time had passed.
    Both,
}

#[derive(Debug)]
pub struct FakedClock {
    folder: TempDir,
    stepped: Stepped,
    offset_s: Cell<i64>,
}

impl FakedClock {
    pub fn new(stepped: Stepped) -> Self {
        let clock = Self { folder: TempDir::new().unwrap(), stepped, offset_s: Cell::new(0) };
        clock.step(0);
        clock
    }

    /// Sets it by so many seconds.
    pub fn step(&self, seconds: i64) {
        self.offset_s.set(self.offset_s.get() + seconds);
        // Whoever reads it finds all of it.
        let whole = self.folder.path().join("next");
        fs::write(&whole, format!("{:+}\n", self.offset_s.get())).unwrap();
        fs::rename(whole, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// What the process needs in its environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut pairs = vec![
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_RESET", "1".to_owned()),
        ];
        if self.stepped == Stepped::Wall {
            pairs.push(("DONT_FAKE_MONOTONIC", "1".to_owned()));
        }
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Finds the library wherever this machine's kind has it.
#[track_caller]
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = folders.map(|folder| folder.path()).collect();
    folders.push(PathBuf::from("/usr/lib"));
    let of = |folder: &PathBuf| Path::new(folder).join("faketime/libfaketimeMT.so.1");
    let found = folders.iter().map(of).find(|file| file.exists());
    found.unwrap_or_else(|| {
        panic!("libfaketimeMT.so.1 is missing: install the Debian package faketime")
    })
}
