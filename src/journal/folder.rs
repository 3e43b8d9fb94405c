//! The data folder: private to its user, on a disk of this machine, and one daemon's only.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::journal::Error;

/// The file that holds everything.
pub(super) const JOURNAL: &str = "journal.sqlite";
/// The file whose lock says that a daemon is at work.
const LOCK: &str = "lock";
/// The file that keeps some room on the disk for weir to say that there is none.
const RESERVE: &str = "reserve";
/// How much room that is.
const RESERVE_BYTES: usize = 1 << 20;
/// File systems of other machines: SQLite's write-ahead log is not safe on them.
const REMOTE: [&str; 9] =
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "fuse.sshfs", "glusterfs"];

/// A folder that this process alone may write.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held for its lock, which ends with the process, however it ends.
    _lock: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let fault = |fault: std::io::Error| Error::Folder { path: path.to_owned(), fault };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fault)?;
        let whole = path.canonicalize().map_err(fault)?;
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        if let Some(kind) = remote(&mounts, &whole) {
            return Err(Error::Remote { path: path.to_owned(), kind: kind.to_owned() });
        }
        fs::set_permissions(&whole, fs::Permissions::from_mode(0o700)).map_err(fault)?;
        let lock = File::create(whole.join(LOCK)).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
        Ok(Self { path: whole, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sets room aside, if there is any; says whether it is.
    pub(super) fn fill_reserve(&self) -> bool {
        let path = self.path.join(RESERVE);
        if fs::metadata(&path).is_ok_and(|held| held.len() >= RESERVE_BYTES as u64) {
            return true;
        }
        let written = File::create(&path).and_then(|mut file| {
            // Not zeros: some file systems keep those in no room at all.
            file.write_all(&[0x5a; RESERVE_BYTES])?;
            file.sync_all()
        });
        if written.is_err() {
            self.free_reserve();
        }
        written.is_ok()
    }

    /// Gives the room back to the disk.
    pub(super) fn free_reserve(&self) {
        if let Err(error) = fs::remove_file(self.path.join(RESERVE))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "The reserve on the disk can't be freed.");
        }
    }
}

/// Says which remote file system a path lies on, if it does.
fn remote<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let on = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        path.starts_with(point).then_some((point.len(), kind))
    });
    on.max_by_key(|(length, _)| *length).map(|(_, kind)| kind).filter(|kind| REMOTE.contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_decides() {
        let mounts = "/dev/sda / ext4 rw 0 0\nsrv:/x /var/shared nfs4 rw 0 0\n\
            tmpfs /var/shared/local tmpfs rw 0 0\n";
        assert_eq!(remote(mounts, Path::new("/var/shared/weir")), Some("nfs4"));
        assert_eq!(remote(mounts, Path::new("/var/shared/local/weir")), None);
        assert_eq!(remote(mounts, Path::new("/var/lib/weir")), None);
    }
}
