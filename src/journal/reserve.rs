//! A file beside the journal that holds room for the rows that matter, for the day on which the disk is full.
//!
//! When a row that something waits for (a count, an intent, an answer) finds no room, the reserve is given up and the row is
//! written once more. It is made again as soon as the disk has room for it and as much again.
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::damage::beside;

/// One opening takes five commits of about five pages of 4 KiB: room for two of them, and for the index beside the journal.
pub(super) const SIZE: u64 = 256 << 10;

/// The file, and whether it is there.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    kept: bool,
    spent: bool,
}

impl Reserve {
    /// Of this journal. Nothing is made yet.
    pub(super) fn of(journal: &Path) -> Self {
        let path = beside(journal, ".reserve");
        let kept = std::fs::metadata(&path).is_ok_and(|found| found.len() >= SIZE);
        Self { path, kept, spent: false }
    }

    /// It is there.
    pub(super) const fn is_kept(&self) -> bool {
        self.kept
    }

    /// It was given up, and could not be made again yet.
    pub(super) const fn is_spent(&self) -> bool {
        self.spent
    }

    /// Makes it if it is not there and the disk has room. Says whether it is there.
    pub(super) fn keep(&mut self) -> bool {
        if !self.kept && self.has_room() {
            self.kept = self.make().is_ok();
            self.spent &= !self.kept;
            if !self.kept {
                // Half of it would take room and hold none.
                drop(std::fs::remove_file(&self.path));
            }
        }
        self.kept
    }

    /// Gives the room back to the disk. Says whether there was any to give.
    pub(super) fn give_up(&mut self) -> bool {
        let given = self.kept && std::fs::remove_file(&self.path).is_ok();
        self.kept = false;
        self.spent |= given;
        given
    }

    /// For itself and as much again, so that making it takes nothing from the next row.
    fn has_room(&self) -> bool {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= 2 * SIZE)
    }

    fn make(&self) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o640).open(&self.path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, SIZE) {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP) => fill(&mut file)?,
            Err(other) => return Err(other.into()),
        }
        file.sync_all()
    }
}

/// Where the file system cannot promise room, bytes take it.
fn fill(file: &mut File) -> io::Result<()> {
    let zeros = [0; 4096];
    (0..SIZE / 4096).try_for_each(|_| file.write_all(&zeros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_really_allocated_and_given_up_once() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        let mut reserve = Reserve::of(&journal);
        assert!(!reserve.is_kept() && !reserve.give_up());
        assert!(reserve.keep() && reserve.keep());
        let found = std::fs::metadata(folder.path().join("journal.db.reserve")).unwrap();
        assert!(found.len() == SIZE && found.blocks() * 512 >= SIZE, "{found:?}");
        // A restart finds it.
        let mut again = Reserve::of(&journal);
        assert!(again.is_kept() && again.give_up() && !again.give_up() && again.is_spent());
        assert!(!folder.path().join("journal.db.reserve").exists());
        assert!(again.keep() && !again.is_spent());
    }
}
