//! The tables of one edition as bytes: read from a folder, kept in the journal, written back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::domain::fault::Fault;
use crate::domain::judgement::Judgement;
use crate::seed::cell::nearest;
use crate::seed::fault_in;
use crate::seed::sheet::{LIMITS_FOLDER, SCHEMAS, schema};

/// The longest table that is read. A table of a city has a tenth of it.
const TABLE_BYTES_MAX: u64 = 16 << 20;
/// The most tables of limits.
const LIMIT_TABLES_MAX: usize = 256;
/// What the bytes of an edition begin with; the number is that of their layout.
const MAGIC: &[u8] = b"weir tables 1\n";

/// The tables of one edition as text: what the journal keeps and [`crate::seed::compile`] reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tables {
    files: BTreeMap<String, Vec<u8>>,
}

impl Tables {
    /// Reads the tables of a folder. Files that are no CSV, and hidden ones, are left alone.
    ///
    /// # Errors
    /// Every table that is missing, unknown, too long or can't be read.
    pub fn read(folder: &Path) -> Result<Self, Vec<Fault>> {
        let mut tables = Self::default();
        let mut faults = Vec::new();
        tables.read_folder(folder, "", &mut faults);
        if folder.join(LIMITS_FOLDER).is_dir() {
            tables.read_folder(&folder.join(LIMITS_FOLDER), "limits/", &mut faults);
        }
        if tables.files.len() > SCHEMAS.len() + LIMIT_TABLES_MAX {
            let expected = format!("at most {LIMIT_TABLES_MAX}");
            let found = format!("{} tables", tables.files.len());
            faults.push(fault_in(LIMITS_FOLDER, None, found, expected));
        }
        if faults.is_empty() { Ok(tables) } else { Err(faults) }
    }

    /// Adds or replaces one table, named relative to the folder, such as `limits/a.csv`.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.insert(name.into(), bytes);
    }

    /// Gives one table.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// Walks the tables in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Gives the digest of the edition: SHA-256 over its tables and settings, in hex.
    #[must_use]
    pub fn digest(&self, judgement: &Judgement) -> String {
        let mut hash = Sha256::new();
        hash.update(self.to_bytes());
        for setting in judgement.settings() {
            hash.update(setting.to_le_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Packs the tables into bytes that [`Tables::from_bytes`] reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (name, content) in &self.files {
            for part in [name.as_bytes(), content] {
                bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        bytes
    }

    /// Reads what [`Tables::to_bytes`] packed.
    ///
    /// # Errors
    /// What is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let damaged = |found: &str| {
            let expected = "the tables of an edition as they were packed";
            fault_in("", None, found, expected)
        };
        let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("no edition"))?;
        let mut tables = Self::default();
        while !rest.is_empty() {
            let name = take(&mut rest).ok_or_else(|| damaged("a cut edition"))?;
            let content = take(&mut rest).ok_or_else(|| damaged("a cut edition"))?;
            let name = std::str::from_utf8(name).ok().filter(|name| schema(name).is_some());
            let name = name.ok_or_else(|| damaged("an unknown table in an edition"))?;
            tables.files.insert(name.into(), content.to_vec());
        }
        Ok(tables)
    }

    /// Writes the tables into a folder, each to a file beside its own and then over it, and
    /// removes tables that the edition doesn't have.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder.join(LIMITS_FOLDER))?;
        for (name, content) in &self.files {
            let path = folder.join(name);
            let beside = path.with_extension("csv.new");
            let mut file = File::create(&beside)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
        }
        for (prefix, held) in [("", folder.to_owned()), ("limits/", folder.join(LIMITS_FOLDER))] {
            for entry in fs::read_dir(&held)? {
                let entry = entry?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if schema(&name).is_some() && !self.files.contains_key(&name) {
                    fs::remove_file(entry.path())?;
                }
            }
            File::open(&held)?.sync_all()?;
        }
        Ok(())
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str, faults: &mut Vec<Fault>) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                let found = format!("{} that can't be read ({error})", folder.display());
                faults.push(fault_in(prefix, None, found, "the folder of the seeds"));
                return;
            }
        };
        for entry in entries.flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if hidden || name == LIMITS_FOLDER {
                continue;
            }
            if entry.path().is_dir() {
                faults.push(fault_in(&name, None, "a folder", "tables and the folder `limits`"));
            } else if name.ends_with(".csv") {
                self.read_table(&entry.path(), &name, faults);
            }
        }
    }

    fn read_table(&mut self, path: &Path, name: &str, faults: &mut Vec<Fault>) {
        if schema(name).is_none() {
            let near = nearest(name, SCHEMAS.iter().map(|schema| schema.file));
            let near = near.map_or(String::new(), |near| format!("; the nearest is `{near}`"));
            let expected = format!("a table that weir knows{near}");
            faults.push(fault_in(name, None, "an unknown table", expected));
            return;
        }
        let expected = format!("a file of at most {TABLE_BYTES_MAX} bytes");
        match fs::metadata(path).map(|held| held.len()) {
            Ok(bytes) if bytes > TABLE_BYTES_MAX => {
                faults.push(fault_in(name, None, format!("{bytes} bytes"), expected));
                return;
            }
            Ok(_) | Err(_) => {}
        }
        match fs::read(path) {
            Ok(bytes) => self.put(name, bytes),
            Err(error) => {
                let found = format!("a file that can't be read ({error})");
                faults.push(fault_in(name, None, found, expected));
            }
        }
    }
}

/// Takes one part, written as its length and its bytes.
fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (part, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(make: impl FnOnce(&Path)) -> String {
        let folder = tempfile::TempDir::new().unwrap();
        fs::create_dir(folder.path().join(LIMITS_FOLDER)).unwrap();
        make(folder.path());
        let faults = Tables::read(folder.path()).err().unwrap_or_default();
        faults.iter().map(|fault| format!("{fault}\n")).collect()
    }

    #[test]
    fn a_table_without_end_is_not_read() {
        let length = |bytes: u64| {
            faults(|folder| {
                let table = File::create(folder.join("units.csv")).unwrap();
                table.set_len(bytes).unwrap();
            })
        };
        assert!(!length(TABLE_BYTES_MAX).contains("units.csv"));
        assert!(length(TABLE_BYTES_MAX + 1).contains("units.csv"));
    }

    #[test]
    fn tables_of_limits_without_end_are_refused() {
        let many = |count: usize| {
            faults(|folder| {
                for number in 0..count {
                    fs::write(folder.join(format!("limits/{number}.csv")), "").unwrap();
                }
            })
        };
        let words = format!("expected at most {LIMIT_TABLES_MAX}");
        assert!(!many(LIMIT_TABLES_MAX).contains(&words));
        assert!(many(LIMIT_TABLES_MAX + SCHEMAS.len() + 1).contains(&words));
    }
}
