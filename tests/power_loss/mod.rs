//! The proof that a row which the journal called durable survives a power cut.
//!
//! A writer process uses the journal as the daemon does while strace records its system calls ([`record`]). For any moment of
//! the record, [`disk`] says which disks are legal after a cut there; one of them is laid out in a folder, opened by the
//! journal, and looked at ([`check`]). From some of these disks the shop lives on, is recorded again, and cut again.
//!
//! The same seed makes the same choices. SQLite salts its log anew in every run, so the bytes differ a little.
pub mod check;
pub mod dice;
pub mod disk;
pub mod record;
pub mod writer;

use std::{env, fmt, fs, ops::Range, path::Path, process::Command, thread};

use check::{Batch, Expected};
use dice::Dice;
use disk::{Cut, Disk, Image, Op};
use record::{Entry, Reader};
use tempfile::TempDir;
use writer::{Desk, JOURNAL, Life, Note};

/// What is asked of the proof.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Repeats the choices.
    pub seed: u64,
    /// How many disks are looked at.
    pub images: u64,
    /// Only this one, and it is kept for a closer look.
    pub only: Option<u64>,
}

/// What it found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Disks looked at.
    pub images: u64,
    /// Operations on the disk that were recorded.
    pub operations: usize,
    /// Transactions that were called durable.
    pub durable: usize,
    /// Disks on which rows were found whole that nobody had called durable yet.
    pub early: u64,
    /// Lives after a cut that were recorded and cut again.
    pub second_cuts: u64,
    /// Disks on which a promise was broken.
    pub violations: Vec<Violation>,
}

/// A broken promise.
#[derive(Debug)]
pub struct Violation {
    /// The disk's number.
    pub image: u64,
    /// Where and how the power was cut.
    pub cut: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image {}, {}: {}", self.image, self.cut, self.what)
    }
}

/// Why there is no outcome.
#[derive(Debug)]
pub enum NoProof {
    /// This machine cannot record; says why.
    NoRecorder(String),
    /// The record is of no use.
    Failed(String),
}

fn failed(error: impl std::fmt::Display) -> NoProof {
    NoProof::Failed(error.to_string())
}

/// Each has a disk of some megabytes in memory, of which a container may have 64.
const MOST_THREADS: usize = 6;
/// Names the life, its seed and its folder for a process that shall be the writer.
const WRITER: &str = "DRAWERBRIDGE_POWER_LOSS_WRITER";

/// When this process was started to be the writer, it is; the answer tells whether it was.
pub fn was_the_writer() -> bool {
    let Ok(task) = env::var(WRITER) else { return false };
    let mut parts = task.splitn(3, ' ');
    let mut next = || parts.next().expect("three parts");
    let life = next().parse::<usize>().expect("a life's number");
    let seed = next().parse().expect("a seed");
    writer::live(Life::ALL[life], seed, &Desk::in_folder(Path::new(next())));
    true
}

/// Runs it. `writer` makes the command that ends in [`was_the_writer`]; `looked` is called after each disk.
pub fn prove(spec: &Spec, writer: &(dyn Fn() -> Command + Sync), looked: &(dyn Fn() + Sync)) -> Result<Outcome, NoProof> {
    can_record()?;
    // A fourth of the disks is left by a second cut.
    let second = spec.images / 4;
    let lives = (second / 250).clamp(1, 8);
    let mut outcome = Outcome::default();
    let shop = Record::of(spec.seed, writer, &[Life::First, Life::Long, Life::Restarted], &Image::new(), vec![])?;
    shop.look(spec, 0..spec.images - second, &mut outcome, looked)?;
    for n in 0..lives {
        let numbers = spec.images - second + second * n / lives..spec.images - second + second * (n + 1) / lives;
        if spec.only.is_some_and(|only| !numbers.contains(&only)) {
            continue;
        }
        let mut dice = Dice::new(spec.seed ^ (n + 1) << 40);
        let steps = cut_at(&shop.lengths(), n, lives, &mut dice);
        let (left, there) = match shop.after_a_cut(steps, &mut dice) {
            Ok(left) => left,
            Err(what) => {
                outcome.violations.push(Violation { image: numbers.start, cut: format!("before life {n}"), what });
                continue;
            }
        };
        let again = Record::of(spec.seed ^ n, writer, &[Life::AfterCut], &left, shop.batches[..there].to_vec())?;
        again.look(spec, numbers, &mut outcome, looked)?;
        outcome.second_cuts += 1;
    }
    Ok(outcome)
}

fn can_record() -> Result<(), NoProof> {
    let install = "install it with `sudo apt install strace`";
    let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let output = tried.map_err(|e| NoProof::NoRecorder(format!("strace cannot be started ({e}): {install}")))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or(NoProof::NoRecorder(format!("strace may not look at a process ({said})")))
}

/// In memory where the system has such a folder: what is measured is the order of calls, not a disk.
fn folder() -> Result<TempDir, NoProof> {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).map_err(failed)
}

/// One step of a record.
#[derive(Debug)]
enum Step {
    Disk(Op),
    Trying,
    Durable,
}

/// What happened to a folder, from a disk at rest to the last call.
struct Record {
    start: Disk,
    steps: Vec<Step>,
    /// All that were ever tried, those on the first disk included.
    batches: Vec<Batch>,
    /// So many of them were on the first disk.
    before: usize,
    /// The index as lives left it behind.
    indexes: Vec<Vec<u8>>,
}

/// A moment of a record.
struct Moment {
    disk: Disk,
    tried: usize,
    durable: usize,
}

impl Moment {
    fn go_on(&mut self, step: &Step) {
        match step {
            Step::Disk(op) => self.disk.apply(op),
            Step::Trying => self.tried += 1,
            Step::Durable => self.durable = self.tried,
        }
    }
}

impl Record {
    fn of(
        seed: u64,
        writer: &dyn Fn() -> Command,
        lives: &[Life],
        image: &Image,
        batches: Vec<Batch>,
    ) -> Result<Self, NoProof> {
        let folder = folder()?;
        let path = folder.path().canonicalize().map_err(failed)?;
        let desk = Desk::in_folder(&path);
        check::lay_out(&desk.folder, image, None).map_err(failed)?;
        let text = |path: &Path| path.to_str().map(ToOwned::to_owned).ok_or_else(|| failed("the folder's name is no text"));
        let mut reader = Reader::new(&text(&desk.folder)?, &text(&desk.notes)?, image.keys().cloned());
        let before = batches.len();
        let mut record = Self { start: Disk::holding(image), steps: vec![], batches, before, indexes: vec![] };
        for life in lives {
            let trace = path.join("trace");
            let task = format!("{} {seed} {}", *life as u8, text(&path)?);
            run(&writer(), &task, &trace)?;
            for entry in reader.read(&fs::read(&trace).map_err(failed)?).map_err(failed)? {
                record.add(entry)?;
            }
            // An end in order leaves none.
            record.indexes.extend(fs::read(desk.folder.join(format!("{JOURNAL}-shm"))).ok());
        }
        if record.batches.len() == before || record.operations() == 0 {
            return Err(failed("nothing was recorded"));
        }
        Ok(record)
    }

    fn add(&mut self, entry: Entry) -> Result<(), NoProof> {
        self.steps.push(match entry {
            Entry::Disk(op) => Step::Disk(op),
            Entry::Note(line) => match serde_json::from_slice(&line).map_err(failed)? {
                Note::Trying(batch) => {
                    self.batches.push(batch);
                    Step::Trying
                }
                Note::Durable => Step::Durable,
            },
        });
        Ok(())
    }

    fn operations(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Disk(_))).count()
    }

    fn begin(&self) -> Moment {
        Moment { disk: self.start.clone(), tried: self.before, durable: self.before }
    }

    /// How far the record is, weighed, after each step. Where more can go wrong, a step is longer, so that cuts are closer
    /// together there.
    fn lengths(&self) -> Vec<u64> {
        let mut moment = self.begin();
        let mut sum = 0;
        let longer = |step: &Step| {
            moment.go_on(step);
            // At rest, every cut leaves the same disk.
            sum += if moment.disk.is_at_rest() {
                1
            } else {
                4 + 8 * u64::from(moment.disk.names_are_pending()) + 4 * u64::from(moment.disk.is_pending(JOURNAL))
            };
            sum
        };
        self.steps.iter().map(longer).collect()
    }

    /// A disk after a cut that so many steps had been done before, and how many batches are on it.
    fn after_a_cut(&self, steps: usize, dice: &mut Dice) -> Result<(Image, usize), String> {
        let mut moment = self.begin();
        self.steps[..steps].iter().for_each(|step| moment.go_on(step));
        let image = moment.disk.image(Cut::ALL[dice.index(Cut::ALL.len())], dice);
        let folder = folder().map_err(|e| format!("{e:?}"))?;
        check::lay_out(folder.path(), &image, None).map_err(|e| e.to_string())?;
        Ok((image, check::check(folder.path(), &self.expected(&moment))?))
    }

    fn expected(&self, moment: &Moment) -> Expected<'_> {
        Expected { tried: &self.batches[..moment.tried], durable: moment.durable }
    }

    /// Looks at the disks of these numbers, and adds up.
    fn look(
        &self,
        spec: &Spec,
        numbers: Range<u64>,
        outcome: &mut Outcome,
        looked: &(dyn Fn() + Sync),
    ) -> Result<(), NoProof> {
        let lengths = self.lengths();
        let first_row = self.steps.iter().position(|step| matches!(step, Step::Durable)).map_or(lengths.len(), |n| n + 1);
        let of = numbers.end - numbers.start;
        // A fifth of the cuts comes before the first row is safe: there files are made, or found as a cut left them.
        let (early, late) = (of / 5, of - of / 5);
        let cuts = numbers.clone().map(|number| {
            let mut dice = Dice::new(Dice::new(spec.seed ^ number << 20).next());
            let steps = match number - numbers.start {
                n if n < early => cut_at(&lengths[..first_row], n, early, &mut dice),
                n => cut_at(&lengths, n - early, late, &mut dice),
            };
            (number, steps, dice)
        });
        let mut cuts: Vec<_> = cuts.filter(|(number, ..)| spec.only.is_none_or(|only| only == *number)).collect();
        cuts.sort_by_key(|(_, steps, _)| *steps);
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(cuts.len().max(1));
        let found = thread::scope(|scope| {
            let look = |first: usize| {
                let mine = cuts.iter().skip(first).step_by(threads);
                let keep = spec.only.is_some();
                move || self.look_at(mine, keep, looked)
            };
            let running: Vec<_> = (0..threads).map(|first| scope.spawn(look(first))).collect();
            running.into_iter().map(|thread| thread.join().expect("a look does not panic")).collect::<Vec<_>>()
        });
        for part in found {
            let part = part?;
            outcome.images += part.images;
            outcome.early += part.early;
            outcome.violations.extend(part.violations);
        }
        outcome.operations += self.operations();
        outcome.durable += self.steps.iter().filter(|step| matches!(step, Step::Durable)).count();
        outcome.violations.sort_by_key(|violation| violation.image);
        Ok(())
    }

    /// The cuts are in the order of the record.
    fn look_at<'a>(
        &self,
        cuts: impl Iterator<Item = &'a (u64, usize, Dice)>,
        keep: bool,
        looked: &(dyn Fn() + Sync),
    ) -> Result<Outcome, NoProof> {
        let folder = folder()?;
        let mut outcome = Outcome::default();
        let (mut moment, mut done) = (self.begin(), 0);
        for (number, steps, dice) in cuts {
            self.steps[done..*steps].iter().for_each(|step| moment.go_on(step));
            done = *steps;
            let mut dice = dice.clone();
            let cut = Cut::ALL[dice.index(Cut::ALL.len())];
            let image = moment.disk.image(cut, &mut dice);
            let index = self.index(&mut dice);
            if keep {
                let kept = env::temp_dir().join(format!("drawerbridge-power-loss-{number}"));
                check::lay_out(&kept, &image, index.as_deref()).map_err(failed)?;
            }
            check::lay_out(folder.path(), &image, index.as_deref()).map_err(failed)?;
            match check::check(folder.path(), &self.expected(&moment)) {
                Ok(batches) => outcome.early += u64::from(batches > moment.durable),
                Err(what) => {
                    let cut = format!("cut after step {steps} of {}, {cut:?}", self.steps.len());
                    outcome.violations.push(Violation { image: *number, cut, what });
                }
            }
            outcome.images += 1;
            looked();
        }
        Ok(outcome)
    }

    /// The index is never synced: it is missing, or noise, or an old one.
    fn index(&self, dice: &mut Dice) -> Option<Vec<u8>> {
        match dice.below(5) {
            0 => Some((0..4096).flat_map(|_| dice.next().to_le_bytes()).collect()),
            1 if !self.indexes.is_empty() => Some(self.indexes[dice.index(self.indexes.len())].clone()),
            _ => None,
        }
    }
}

/// The step before which the cut with this number comes, of so many that share the record evenly.
fn cut_at(lengths: &[u64], number: u64, of: u64, dice: &mut Dice) -> usize {
    let length = *lengths.last().expect("a record has steps");
    let place = (number * length + dice.below(length)) / of;
    lengths.partition_point(|end| *end <= place) + 1
}

/// The calls that are recorded: all by which a file can change or be made to last.
const CALLS: &str = "open,openat,openat2,creat,close,write,writev,pwrite64,pwritev,pwritev2,copy_file_range,sendfile,splice,\
                         fsync,fdatasync,sync,syncfs,sync_file_range,truncate,ftruncate,fallocate,unlink,unlinkat,\
                         rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,mmap,dup,dup2,dup3";

/// Starts the writer under strace and waits for it.
fn run(writer: &Command, task: &str, trace: &Path) -> Result<(), NoProof> {
    // A call that this machine does not have is left out.
    let calls: String = CALLS.split(',').map(|call| format!("?{call},")).collect();
    let output = Command::new("strace")
        // Every text as hex and in full, descriptors with their paths, no signals.
        .args(["-f", "-qq", "-y", "-xx", "-s", "16777216", "-e", "signal=none"])
        .args(["-e", &format!("trace={}", calls.trim_end_matches(','))])
        .arg("-o")
        .arg(trace)
        .arg(writer.get_program())
        .args(writer.get_args())
        .envs(writer.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env(WRITER, task)
        .output()
        .map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(failed(format!("the writer did not come to its end: {}", String::from_utf8_lossy(&said))))
}
