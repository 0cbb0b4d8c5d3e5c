//! The journal's thread, and the order in which events are told: durable events after they are on disk, device events at
//! once, all of them by rising `seq`.
//!
//! ## Why a thread of its own
//! A durable commit waits for the disk. Device bytes, kicks and the display must not wait with it.
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::{Notify, broadcast, oneshot};
use tracing::{error, info, warn};

use crate::{
    clock,
    journal::{Durable, Journal, JournalError, Row},
    shift::event::{Event, OpeningId},
};

/// Rows that may wait for the disk; more than a drawer, a printer and a person can cause while a disk hangs for minutes.
const QUEUE: usize = 4096;
/// Device events are written this much after they were told: who waits for them has the processor first. Whatever must be
/// durable before something follows from it is written at once, with all that came before it, in one commit.
const BEHIND: Duration = Duration::from_millis(10);
/// A disk that was full is looked at this often, until it has room for the reserve.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(5);
/// Events a slow reader may lag behind before it must resume from the journal.
const LISTENERS_LAG: usize = 1024;

/// Records events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    jobs: mpsc::SyncSender<Job>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    order: Mutex<Order>,
    told: broadcast::Sender<Arc<Row>>,
    failing: AtomicBool,
    /// A device event waits to be written.
    noted: Notify,
}

#[derive(Debug)]
struct Order {
    next: i64,
    waiting: VecDeque<Waiting>,
    /// Told, and not yet handed to the thread.
    behind: Vec<Arc<Row>>,
}

#[derive(Debug)]
struct Waiting {
    row: Arc<Row>,
    ready: bool,
}

type Question = Box<dyn FnOnce(&Journal) + Send>;

/// A row that is on disk, or why it is not, in words a person understands.
pub type Stored = Result<Durable<Arc<Row>>, String>;

enum Job {
    /// Device events that were told already.
    Behind(Vec<Arc<Row>>),
    /// A row that something waits for, with the device events before it.
    Append {
        before: Vec<Arc<Row>>,
        row: Arc<Row>,
        reply: oneshot::Sender<Stored>,
    },
    Ask(Question),
    Stop,
}

/// Ends the journal's thread when the daemon stops.
#[derive(Debug)]
pub struct RecorderThread {
    recorder: Recorder,
    scribe: tokio::task::JoinHandle<()>,
    thread: JoinHandle<()>,
}

impl RecorderThread {
    /// Waits until everything recorded so far is on disk, then closes the journal.
    pub fn stop(self) {
        self.scribe.abort();
        self.recorder.write_what_is_behind();
        if self.recorder.jobs.send(Job::Stop).is_ok() && self.thread.join().is_err() {
            error!("the journal's thread failed while stopping");
        }
    }
}

/// Starts the thread that owns the journal, and on this runtime the task that hands it the device events.
pub fn start(journal: Journal) -> std::io::Result<(Recorder, RecorderThread)> {
    let (jobs, inbox) = mpsc::sync_channel(QUEUE);
    let order = Mutex::new(Order { next: journal.next_seq(), waiting: VecDeque::new(), behind: Vec::new() });
    let shared = Arc::new(Shared {
        order,
        told: broadcast::channel(LISTENERS_LAG).0,
        failing: AtomicBool::new(false),
        noted: Notify::new(),
    });
    let of_thread = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("journal".to_owned())
        .stack_size(256 << 10)
        .spawn(move || write_all(journal, &inbox, &of_thread))?;
    let recorder = Recorder { jobs, shared };
    let of_scribe = recorder.clone();
    let scribe = tokio::spawn(async move {
        loop {
            of_scribe.shared.noted.notified().await;
            tokio::time::sleep(BEHIND).await;
            of_scribe.write_what_is_behind();
        }
    });
    Ok((recorder.clone(), RecorderThread { recorder, scribe, thread }))
}

fn write_all(mut journal: Journal, inbox: &mpsc::Receiver<Job>, shared: &Shared) {
    let mut look_for_room = clock::now();
    loop {
        let now = clock::now();
        if (journal.takes_nothing() || !journal.has_reserve()) && now >= look_for_room {
            look_for_room = now + LOOK_FOR_ROOM;
            let took_nothing = journal.takes_nothing();
            let room = journal.make_room();
            if took_nothing {
                shared.note_health(room.as_ref().err());
            }
        }
        // Only a journal that takes nothing needs a look when nobody wants anything of it.
        let job = if journal.takes_nothing() {
            match inbox.recv_timeout(LOOK_FOR_ROOM) {
                Err(mpsc::RecvTimeoutError::Timeout) => continue,
                other => other.ok(),
            }
        } else {
            inbox.recv().ok()
        };
        match job {
            Some(Job::Behind(rows)) => drop(write(&mut journal, shared, rows, Waited::ByNobody)),
            Some(Job::Append { before, row, reply }) => {
                let mut rows = before;
                rows.push(row);
                let answer = write(&mut journal, shared, rows, Waited::For);
                // A caller that is gone (its till was stopped) needs no answer; the row is on disk all the same.
                drop(reply.send(answer));
            }
            Some(Job::Ask(question)) => question(&journal),
            Some(Job::Stop) | None => return,
        }
    }
}

/// Whether something follows from a row only when it is on disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    For,
    ByNobody,
}

/// Writes all in one commit; if that is refused, each by itself, so that one that may not be written keeps no other back.
/// Answers for the last.
fn write(journal: &mut Journal, shared: &Shared, rows: Vec<Arc<Row>>, waited: Waited) -> Stored {
    if waited == Waited::ByNobody && journal.lives_on_reserve() {
        for row in rows {
            shared.settle(row.seq, false);
        }
        return Err("the disk is full".to_owned());
    }
    let mut together = journal.append_rows(&rows);
    if waited == Waited::For && matches!(together, Err(JournalError::Full)) && journal.give_up_reserve() {
        warn!("the journal's disk is full: its reserve is used for what must not be lost; free space on it now");
        together = journal.append_rows(&rows);
    }
    if let Ok(written) = together {
        shared.note_health(None);
        for row in &written {
            shared.settle(row.get().seq, true);
        }
        return written.into_iter().next_back().ok_or_else(|| "nothing was written".to_owned());
    }
    let mut answer = Err("nothing was written".to_owned());
    for row in rows {
        let seq = row.seq;
        let result = journal.append_rows(&[row]);
        shared.note_health(result.as_ref().err());
        shared.settle(seq, result.is_ok());
        answer = match result {
            Ok(written) => written.into_iter().next_back().ok_or_else(|| "nothing was written".to_owned()),
            Err(e) => Err(in_words(&e)),
        };
    }
    answer
}

/// What a person must know of a failed write.
fn in_words(error: &JournalError) -> String {
    match error {
        JournalError::Full => "the disk is full".to_owned(),
        JournalError::ReadOnly => "the disk is read-only".to_owned(),
        JournalError::Write(cause) | JournalError::Read(cause) => format!("{error} ({cause})"),
        JournalError::Busy { .. }
        | JournalError::Newer { .. }
        | JournalError::Foreign { .. }
        | JournalError::Unsafe { .. }
        | JournalError::Unresolved { .. }
        | JournalError::BadRow { .. }
        | JournalError::Broken { .. }
        | JournalError::Missing { .. }
        | JournalError::Damaged { .. }
        | JournalError::Salvaging { .. }
        | JournalError::Io { .. } => error.to_string(),
    }
}

impl Shared {
    fn order(&self) -> std::sync::MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_health(&self, error: Option<&JournalError>) {
        let failing = error.is_some_and(|e| !matches!(e, JournalError::Unresolved { .. }));
        if failing != self.failing.swap(failing, Ordering::Relaxed) {
            match error {
                Some(e) => error!(error = in_words(e), "the journal cannot be written: no count can be saved until it can"),
                None => info!("the journal can be written again"),
            }
        }
    }

    /// A durable row is on disk (tell it) or could not be written (never tell it).
    fn settle(&self, seq: i64, written: bool) {
        let mut order = self.order();
        if let Some(at) = order.waiting.iter().position(|w| w.row.seq == seq) {
            if written {
                order.waiting[at].ready = true;
            } else if !order.waiting[at].ready {
                order.waiting.remove(at);
            }
        }
        self.tell(&mut order);
    }

    fn tell(&self, order: &mut Order) {
        while order.waiting.front().is_some_and(|w| w.ready) {
            if let Some(first) = order.waiting.pop_front() {
                // No listener is no fault.
                drop(self.told.send(first.row));
            }
        }
    }
}

impl Order {
    fn row(&mut self, till: &str, opening: Option<&OpeningId>, event: Event) -> Arc<Row> {
        let seq = self.next;
        self.next += 1;
        Arc::new(Row { seq, at: clock::wall(), till: till.to_owned(), opening: opening.cloned(), event })
    }
}

impl Recorder {
    /// Puts the event on disk, then tells it. Its place in the order is taken now; the answer is awaited later.
    pub fn begin(&self, till: &str, opening: Option<&OpeningId>, event: Event) -> oneshot::Receiver<Stored> {
        let (reply, answer) = oneshot::channel();
        let mut order = self.shared.order();
        let row = order.row(till, opening, event);
        let before = std::mem::take(&mut order.behind);
        match self.jobs.try_send(Job::Append { before, row: Arc::clone(&row), reply }) {
            // The thread settles a row only after it can take this lock, so the place below is there in time.
            Ok(()) => order.waiting.push_back(Waiting { row, ready: false }),
            Err(mpsc::TrySendError::Full(Job::Append { before, reply, .. })) => {
                order.behind = before;
                drop(reply.send(Err("the disk is too slow".to_owned())));
            }
            Err(mpsc::TrySendError::Full(_) | mpsc::TrySendError::Disconnected(_)) => error!("the journal has been closed"),
        }
        answer
    }

    /// Tells the event at once (after durable ones that were before it) and writes it behind.
    pub fn note(&self, till: &str, event: Event) {
        let mut order = self.shared.order();
        let row = order.row(till, None, event);
        order.waiting.push_back(Waiting { row: Arc::clone(&row), ready: true });
        self.shared.tell(&mut order);
        if order.behind.len() >= QUEUE {
            error!(event = row.event.name(), "the disk is too slow: an event is not kept");
            return;
        }
        order.behind.push(row);
        drop(order);
        self.shared.noted.notify_one();
    }

    fn write_what_is_behind(&self) {
        let mut order = self.shared.order();
        let rows = std::mem::take(&mut order.behind);
        if rows.is_empty() {
            return;
        }
        match self.jobs.try_send(Job::Behind(rows)) {
            Ok(()) => {}
            // They go with the next one that has room.
            Err(mpsc::TrySendError::Full(Job::Behind(rows))) => order.behind = rows,
            Err(mpsc::TrySendError::Full(_) | mpsc::TrySendError::Disconnected(_)) => error!("the journal has been closed"),
        }
    }

    /// Events as they are told, from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Row>> {
        self.shared.told.subscribe()
    }

    /// The number of the next event; all that was told so far is below it.
    #[must_use]
    pub fn next_seq(&self) -> i64 {
        self.shared.order().next
    }

    /// The last write failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// Asks the journal something, after everything that was recorded before.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, String> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Ask(Box::new(move |journal| drop(reply.send(question(journal).map_err(|e| in_words(&e))))));
        self.write_what_is_behind();
        if let Err(mpsc::TrySendError::Full(job)) = self.jobs.try_send(job) {
            drop(job);
            return Err("the disk is too slow".to_owned());
        }
        answer.await.unwrap_or_else(|_| Err("the journal has been closed".to_owned()))
    }
}

#[cfg(test)]
mod tests;
