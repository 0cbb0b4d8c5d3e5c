//! Reads what strace wrote about a process: the operations on the journal's folder, and the writer's notes between them.
//!
//! ## Why the real system calls
//! The daemon's own code, its SQLite with its own settings, and SQLite's own way to files are then under test, with the
//! syncs of the folder, which no layer inside SQLite shows. What this page does not know is an error, never skipped.
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::disk::{FileId, Op};

/// One entry of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The journal's.
    Disk(Op),
    /// A line of the writer's notes.
    Note(Vec<u8>),
}

/// Reads one process after another; the folder lives on between them.
#[derive(Debug)]
pub struct Reader {
    folder: String,
    notes: String,
    names: BTreeMap<String, FileId>,
    files: FileId,
}

/// What a number of this process stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    File(FileId),
    Folder,
    Notes,
    /// Not of the journal, or of no account after a power cut: the index (made anew) and the lock.
    Other,
}

impl Reader {
    /// Of this folder, which holds these files, and of the notes beside it. Absolute paths.
    pub fn new(folder: &str, notes: &str, holding: impl Iterator<Item = String>) -> Self {
        let names: BTreeMap<_, _> = holding.enumerate().map(|(file, name)| (name, file)).collect();
        let files = names.len();
        Self { folder: folder.to_owned(), notes: notes.to_owned(), names, files }
    }

    /// One process, from its start to its end. The error is a line that cannot be told.
    pub fn read(&mut self, trace: &[u8]) -> Result<Vec<Entry>, String> {
        let mut open: HashMap<String, Open> = HashMap::new();
        let mut waiting: HashMap<&str, &str> = HashMap::new();
        let mut entries = vec![];
        for line in trace.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let line = std::str::from_utf8(line).map_err(|_| "a line is no text".to_owned())?;
            let bad = |what: &str| format!("{what}: {}", line.chars().take(300).collect::<String>());
            let (process, call) = line.split_once(' ').ok_or_else(|| bad("no process"))?;
            let call = call.trim_start();
            if call.starts_with("+++") || call.starts_with("---") {
                continue;
            }
            // Another thread spoke in between: the call counts when it is done.
            let whole;
            let call = if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
                waiting.insert(process, begun);
                continue;
            } else if let Some(rest) = call.strip_prefix("<... ") {
                let (_, rest) = rest.split_once(" resumed>").ok_or_else(|| bad("no end"))?;
                whole = format!("{}{rest}", waiting.remove(process).ok_or_else(|| bad("no beginning"))?);
                whole.as_str()
            } else {
                call
            };
            let (call, result) = call.rsplit_once(" = ").ok_or_else(|| bad("no result"))?;
            let (name, args) = call.trim_end().split_once('(').ok_or_else(|| bad("no arguments"))?;
            let args: Vec<_> = args.strip_suffix(')').ok_or_else(|| bad("no end"))?.split(", ").collect();
            if result.starts_with('-') || result.starts_with('?') {
                continue;
            }
            self.call(name, &args, result, &mut open, &mut entries).map_err(|what| bad(&what))?;
        }
        Ok(entries)
    }

    fn call(
        &mut self,
        name: &str,
        args: &[&str],
        result: &str,
        open: &mut HashMap<String, Open>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), String> {
        let text = |n: usize| args.get(n).copied().ok_or("an argument is missing");
        match name {
            "openat" => {
                let path = path(text(1)?)?;
                let flags = text(2)?;
                let (number, _) = descriptor(result);
                open.insert(number.to_owned(), self.open(&path, flags, entries));
            }
            "close" => {
                open.remove(descriptor(text(0)?).0);
            }
            "write" | "pwrite64" => match (self.known(text(0)?, open)?, name) {
                (Open::Other, _) => {}
                (Open::Notes, "write") => entries.push(Entry::Note(bytes(text(1)?)?)),
                (Open::File(file), "pwrite64") => {
                    let mut written = bytes(text(1)?)?;
                    written.truncate(number(result)?);
                    entries.push(Entry::Disk(Op::Write(file, number(text(3)?)?, Arc::from(written))));
                }
                _ => return Err("a way of writing that is not known here".into()),
            },
            "ftruncate" => match self.known(text(0)?, open)? {
                Open::Other => {}
                Open::File(file) => entries.push(Entry::Disk(Op::Resize(file, number(text(1)?)?))),
                Open::Folder | Open::Notes => return Err("this has no size".into()),
            },
            // That the size lasts is part of fdatasync, since the content cannot be read without it.
            "fsync" | "fdatasync" => match self.known(text(0)?, open)? {
                Open::Other | Open::Notes => {}
                Open::File(file) => entries.push(Entry::Disk(Op::Sync(file))),
                Open::Folder => entries.push(Entry::Disk(Op::SyncFolder)),
            },
            // Where a machine has no `unlink`, the C library names the working folder first; the path is absolute.
            "unlink" | "unlinkat" => {
                let path = path(text(usize::from(name == "unlinkat"))?)?;
                if let Some(name) = self.of_account(&path) {
                    self.names.remove(&name).ok_or("it is not there")?;
                    entries.push(Entry::Disk(Op::Unlink(name)));
                }
            }
            "mmap" => {
                let shared = text(3)?.contains("MAP_SHARED") && text(2)?.contains("PROT_WRITE");
                if shared && self.known(text(4)?, open)? != Open::Other {
                    return Err("written through memory, where nobody sees it".into());
                }
            }
            _ => {
                if args.iter().copied().chain([result]).any(|a| self.names_ours(a)) {
                    return Err("a call that is not known here".into());
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, path: &str, flags: &str, entries: &mut Vec<Entry>) -> Open {
        if path == self.folder {
            return Open::Folder;
        }
        if path == self.notes {
            return Open::Notes;
        }
        let Some(name) = self.of_account(path) else { return Open::Other };
        if let Some(file) = self.names.get(&name) {
            if flags.contains("O_TRUNC") {
                entries.push(Entry::Disk(Op::Resize(*file, 0)));
            }
            return Open::File(*file);
        }
        let file = self.files;
        self.files += 1;
        self.names.insert(name.clone(), file);
        entries.push(Entry::Disk(Op::Create(name)));
        Open::File(file)
    }

    /// The name of a file in the folder, unless it is one that a start after a power cut makes anew.
    fn of_account(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix(&self.folder)?.strip_prefix('/')?;
        (!name.ends_with("-shm") && !name.ends_with(".lock")).then(|| name.to_owned())
    }

    /// The descriptor's meaning. One that was opened unseen must not be the journal's.
    fn known(&self, arg: &str, open: &HashMap<String, Open>) -> Result<Open, String> {
        match open.get(descriptor(arg).0) {
            Some(open) => Ok(*open),
            None if self.names_ours(arg) => Err("a descriptor that was opened unseen".into()),
            None => Ok(Open::Other),
        }
    }

    /// The argument names something in the folder, as a path or as a descriptor with its path.
    fn names_ours(&self, arg: &str) -> bool {
        let path = match descriptor(arg).1 {
            Some(path) => unhex(path),
            None => path(arg).map(String::into_bytes),
        };
        path.is_ok_and(|path| path.starts_with(self.folder.as_bytes()))
    }
}

/// `3<\x2f…>`: the number and the path.
fn descriptor(arg: &str) -> (&str, Option<&str>) {
    match arg.split_once('<') {
        Some((number, path)) => (number, path.split_once('>').map(|(path, _)| path)),
        None => (arg, None),
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "no number".into())
}

fn path(arg: &str) -> Result<String, String> {
    String::from_utf8(bytes(arg)?).map_err(|_| "a path that is no text".into())
}

fn bytes(arg: &str) -> Result<Vec<u8>, String> {
    // Dots behind the last quote would say that strace cut the text short.
    unhex(arg.strip_prefix('"').and_then(|a| a.strip_suffix('"')).ok_or("no text, or cut short")?)
}

/// `\x2f\x64…`: every byte as four characters.
fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Ok(b - b'0'),
        b'a'..=b'f' => Ok(b - b'a' + 10),
        _ => Err("no hex".to_owned()),
    };
    let (fours, rest) = text.as_bytes().as_chunks::<4>();
    if !rest.is_empty() {
        return Err("half a byte".into());
    }
    fours.iter().map(|four| Ok(digit(four[2])? << 4 | digit(four[3])?)).collect()
}
