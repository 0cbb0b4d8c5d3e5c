//! A disk as POSIX promises it, and no more: what was synced is there after a power cut, what was not may be there in part.
//!
//! Contents and names are two things. `fsync` of a file makes its content and size last; that its name lasts takes an
//! `fsync` of the folder. Until then every sector of every write may or may not have arrived, in any order, whole or torn;
//! the size may be any that the file has had since; a name may still be missing, or still be there.
//!
//! ## Why a sector is torn only within the bytes that were written
//! SQLite counts on what it calls powersafe overwrite: a write that fails halfway does not harm the bytes beside it. Disks of
//! the last twenty years keep that, and the program leaves this setting of SQLite as it is.
use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::dice::Dice;

/// Which file: a name may come to mean another one.
pub type FileId = usize;

/// One thing that the program asked of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A new, empty file with the next number takes a name.
    Create(String),
    /// Bytes at a place.
    Write(FileId, usize, Arc<[u8]>),
    /// The file gets this size.
    Resize(FileId, usize),
    /// The file's content and size shall last.
    Sync(FileId),
    /// A name is given up.
    Unlink(String),
    /// The folder's names shall last.
    SyncFolder,
}

/// How much of what was not synced is there after the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    Nothing,
    /// All of it, as after `kill -9`.
    Everything,
    /// All but one write.
    AllButOne,
    /// Only the last write.
    OnlyLast,
    /// The last few writes, and none before them.
    Reversed,
    /// The first few writes; the one after them is torn.
    InOrder,
    /// Each sector as it stood at some moment: how a page cache is written out.
    PageCache,
    /// Each sector of each write, or not, or torn: as a controller may reorder that knows no order.
    Any,
    /// As `Any`, and what was underway is noise; so is new space that was never written.
    Noise,
}

impl Cut {
    /// All of them. The last three have many outcomes, so they come more often.
    pub const ALL: [Self; 12] = [
        Self::Nothing,
        Self::Everything,
        Self::AllButOne,
        Self::OnlyLast,
        Self::Reversed,
        Self::InOrder,
        Self::PageCache,
        Self::PageCache,
        Self::Any,
        Self::Any,
        Self::Any,
        Self::Noise,
    ];
}

/// The disk: what is on it for certain, and what is on its way.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: Vec<File>,
    names: BTreeMap<String, Name>,
    serial: u64,
}

#[derive(Debug, Clone, Default)]
struct File {
    safe: Vec<u8>,
    pending: Vec<(u64, Change)>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Arc<[u8]>),
    Resize(usize),
}

#[derive(Debug, Clone, Default)]
struct Name {
    safe: Option<FileId>,
    pending: Vec<Option<FileId>>,
}

impl Name {
    fn latest(&self) -> Option<FileId> {
        self.pending.last().copied().unwrap_or(self.safe)
    }
}

/// Files by name, with their content.
pub type Image = BTreeMap<String, Vec<u8>>;

/// What became of the part of a write that falls into one sector.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Lost,
    Arrived,
    /// The first bytes are new, the rest is old.
    Head,
    /// The last bytes are new.
    Tail,
    Noise,
}

impl Disk {
    /// A disk that holds this and has come to rest.
    pub fn holding(image: &Image) -> Self {
        let mut disk = Self::default();
        for (file, (name, bytes)) in image.iter().enumerate() {
            disk.files.push(File { safe: bytes.clone(), pending: vec![] });
            disk.names.insert(name.clone(), Name { safe: Some(file), pending: vec![] });
        }
        disk
    }

    /// Does it.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Create(name) => {
                self.files.push(File::default());
                let file = self.files.len() - 1;
                self.names.entry(name.clone()).or_default().pending.push(Some(file));
            }
            Op::Write(file, at, bytes) => self.change(*file, Change::Write(*at, Arc::clone(bytes))),
            Op::Resize(file, size) => self.change(*file, Change::Resize(*size)),
            Op::Sync(file) => self.files[*file].settle(),
            Op::Unlink(name) => self.names.get_mut(name).expect("a name that was given").pending.push(None),
            Op::SyncFolder => {
                for name in self.names.values_mut() {
                    name.safe = name.latest();
                    name.pending.clear();
                }
            }
        }
    }

    fn change(&mut self, file: FileId, change: Change) {
        self.serial += 1;
        self.files[file].pending.push((self.serial, change));
    }

    /// Nothing is on its way: whatever is cut now, the disk stays as it is.
    pub fn is_at_rest(&self) -> bool {
        !self.names_are_pending() && self.files.iter().all(|file| file.pending.is_empty())
    }

    /// A name is on its way, in or out.
    pub fn names_are_pending(&self) -> bool {
        self.names.values().any(|name| !name.pending.is_empty())
    }

    /// Something of the file with this name is on its way.
    pub fn is_pending(&self, name: &str) -> bool {
        let file = self.names.get(name).and_then(Name::latest);
        file.is_some_and(|file| !self.files[file].pending.is_empty())
    }

    /// One of the legal disks after a cut now.
    pub fn image(&self, cut: Cut, dice: &mut Dice) -> Image {
        let all = self.files.iter().flat_map(|file| &file.pending).count() as u64;
        let first = self.files.iter().flat_map(|file| &file.pending).map(|(serial, _)| *serial).min().unwrap_or(0);
        // Among the writes on their way, oldest first; settled files leave gaps, which do no harm.
        let chosen = first + dice.below((self.serial + 1).saturating_sub(first).max(1));
        let last = self.files.iter().flat_map(|file| &file.pending).map(|(serial, _)| *serial).max().unwrap_or(0);
        let sector = if dice.one_in(4) { 4096 } else { 512 };
        let mut image = Image::new();
        for (name, entry) in &self.names {
            let moments = entry.pending.len() as u64 + 1;
            let moment = match cut {
                Cut::Nothing => 0,
                Cut::Everything => moments - 1,
                Cut::AllButOne | Cut::OnlyLast | Cut::Reversed | Cut::InOrder | Cut::PageCache | Cut::Any | Cut::Noise => {
                    dice.below(moments)
                }
            };
            let moment = usize::try_from(moment).expect("as many as there are names");
            let Some(file) = (if moment == 0 { entry.safe } else { entry.pending[moment - 1] }) else { continue };
            let how =
                How { cut, chosen, last: if all == 0 { 0 } else { last }, sector, bias: BIASES[dice.index(BIASES.len())] };
            image.insert(name.clone(), self.files[file].content(&how, dice));
        }
        image
    }
}

/// How many of a hundred sectors of a file arrive. Drawn for each file, so that one may be complete and another untouched.
const BIASES: [u64; 6] = [0, 5, 50, 95, 99, 100];

struct How {
    cut: Cut,
    chosen: u64,
    last: u64,
    sector: usize,
    bias: u64,
}

impl File {
    fn settle(&mut self) {
        for (_, change) in self.pending.drain(..) {
            match change {
                Change::Write(at, bytes) => put(&mut self.safe, at, &bytes),
                Change::Resize(size) => self.safe.resize(size, 0),
            }
        }
    }

    /// Sizes the file has had since it was synced, that one first.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![self.safe.len()];
        for (_, change) in &self.pending {
            let before = *sizes.last().expect("it holds one");
            sizes.push(match change {
                Change::Write(at, bytes) => before.max(at + bytes.len()),
                Change::Resize(size) => *size,
            });
        }
        sizes
    }

    fn content(&self, how: &How, dice: &mut Dice) -> Vec<u8> {
        let sizes = self.sizes();
        let largest = *sizes.iter().max().expect("it holds one");
        let mut bytes = self.safe.clone();
        bytes.resize(largest, 0);
        if how.cut == Cut::Noise && dice.one_in(2) {
            noise(&mut bytes[self.safe.len()..], dice);
        }
        // In a page cache, each sector has its own moment: how many of the writes to it have gone out.
        let mut touched: BTreeMap<usize, u64> = BTreeMap::new();
        if how.cut == Cut::PageCache {
            for (_, change) in &self.pending {
                let Change::Write(at, written) = change else { continue };
                sectors(*at, written.len(), how.sector).for_each(|s| *touched.entry(s.start / how.sector).or_default() += 1);
            }
        }
        let mut left: BTreeMap<usize, u64> = touched.iter().map(|(s, n)| (*s, gone_out(*n, how.bias, dice))).collect();
        for (serial, change) in &self.pending {
            match change {
                Change::Write(at, written) => {
                    for range in sectors(*at, written.len(), how.sector) {
                        let fate = how.fate(*serial, left.get_mut(&(range.start / how.sector)), dice);
                        put_sector(&mut bytes, *at, written, range, fate, dice);
                    }
                }
                Change::Resize(size) => {
                    if matches!(how.fate(*serial, None, dice), Fate::Arrived) {
                        bytes[(*size).min(largest)..].fill(0);
                    }
                }
            }
        }
        let size = match how.cut {
            Cut::Nothing => sizes[0],
            Cut::Everything => sizes[sizes.len() - 1],
            Cut::AllButOne | Cut::OnlyLast | Cut::Reversed | Cut::InOrder | Cut::PageCache | Cut::Any | Cut::Noise => {
                match dice.below(3) {
                    0 => sizes[dice.index(sizes.len())],
                    _ => sizes[sizes.len() - 1],
                }
            }
        };
        bytes.truncate(size);
        bytes
    }
}

/// How many of the `n` writes to a sector have gone out, and whether the next is torn: the writes times two, plus one if so.
fn gone_out(n: u64, bias: u64, dice: &mut Dice) -> u64 {
    let whole = if dice.below(100) < bias { n } else { dice.below(n + 1) };
    whole * 2 + u64::from(dice.one_in(4))
}

impl How {
    /// `left`: how much of this sector's history is still to come, in a page cache.
    fn fate(&self, serial: u64, left: Option<&mut u64>, dice: &mut Dice) -> Fate {
        let when = |arrived: bool| if arrived { Fate::Arrived } else { Fate::Lost };
        match self.cut {
            Cut::Nothing => Fate::Lost,
            Cut::Everything => Fate::Arrived,
            Cut::AllButOne => when(serial != self.chosen),
            Cut::OnlyLast => when(serial == self.last),
            Cut::Reversed => when(serial >= self.chosen),
            Cut::InOrder if serial == self.chosen => torn(dice),
            Cut::InOrder => when(serial < self.chosen),
            Cut::PageCache => match left {
                Some(left) if *left >= 2 => {
                    *left -= 2;
                    Fate::Arrived
                }
                Some(left) if *left == 1 => {
                    *left = 0;
                    torn(dice)
                }
                Some(_) => Fate::Lost,
                // A change of size belongs to no sector.
                None => when(dice.one_in(2)),
            },
            Cut::Any | Cut::Noise if dice.below(100) < self.bias => Fate::Arrived,
            Cut::Any => match dice.below(4) {
                0 => torn(dice),
                _ => Fate::Lost,
            },
            Cut::Noise if dice.one_in(3) => Fate::Noise,
            Cut::Noise => Fate::Lost,
        }
    }
}

fn torn(dice: &mut Dice) -> Fate {
    if dice.one_in(2) { Fate::Head } else { Fate::Tail }
}

/// The parts of a write, cut where sectors begin.
fn sectors(at: usize, len: usize, sector: usize) -> impl Iterator<Item = Range<usize>> {
    let end = at + len;
    let mut from = at;
    std::iter::from_fn(move || {
        let to = ((from / sector + 1) * sector).min(end);
        let range = from..to;
        from = to;
        (!range.is_empty()).then_some(range)
    })
}

fn put_sector(bytes: &mut [u8], at: usize, written: &[u8], range: Range<usize>, fate: Fate, dice: &mut Dice) {
    let torn_at = range.start + dice.index(range.len() + 1);
    let range = match fate {
        Fate::Lost => return,
        Fate::Noise => return noise(&mut bytes[range], dice),
        Fate::Arrived => range,
        Fate::Head => range.start..torn_at,
        Fate::Tail => torn_at..range.end,
    };
    bytes[range.clone()].copy_from_slice(&written[range.start - at..range.end - at]);
}

fn put(bytes: &mut Vec<u8>, at: usize, written: &[u8]) {
    let end = at + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(written);
}

fn noise(bytes: &mut [u8], dice: &mut Dice) {
    for piece in bytes.chunks_mut(8) {
        piece.copy_from_slice(&dice.next().to_le_bytes()[..piece.len()]);
    }
}
