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

use tokio::sync::{broadcast, oneshot};
use tracing::{error, info};

use crate::{
    clock,
    journal::{Journal, JournalError, Row},
    shift::event::{Event, OpeningId},
};

/// Rows that may wait for the disk; more than a drawer, a printer and a person can cause while a disk hangs for minutes.
const QUEUE: usize = 4096;
/// Device events are written this much after they were told: who waits for them has the processor first. Whatever must be
/// durable before something follows from it is written at once, with all that came before it.
const BEHIND: Duration = Duration::from_millis(10);
/// More of them are not kept waiting.
const BEHIND_MAX: usize = 64;
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
}

#[derive(Debug)]
struct Order {
    next: i64,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    row: Arc<Row>,
    ready: bool,
}

type Question = Box<dyn FnOnce(&Journal) + Send>;

enum Job {
    Append { row: Arc<Row>, reply: Option<oneshot::Sender<Result<Arc<Row>, String>>> },
    Ask(Question),
    Stop,
}

/// Ends the journal's thread when the daemon stops.
#[derive(Debug)]
pub struct RecorderThread {
    jobs: mpsc::SyncSender<Job>,
    thread: JoinHandle<()>,
}

impl RecorderThread {
    /// Waits until everything recorded so far is on disk, then closes the journal.
    pub fn stop(self) {
        if self.jobs.send(Job::Stop).is_ok() && self.thread.join().is_err() {
            error!("the journal's thread failed while stopping");
        }
    }
}

/// Starts the thread that owns the journal.
pub fn start(journal: Journal) -> std::io::Result<(Recorder, RecorderThread)> {
    let (jobs, inbox) = mpsc::sync_channel(QUEUE);
    let order = Mutex::new(Order { next: journal.next_seq(), waiting: VecDeque::new() });
    let shared = Arc::new(Shared { order, told: broadcast::channel(LISTENERS_LAG).0, failing: AtomicBool::new(false) });
    let of_thread = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("journal".to_owned())
        .stack_size(256 << 10)
        .spawn(move || write_all(journal, &inbox, &of_thread))?;
    Ok((Recorder { jobs: jobs.clone(), shared }, RecorderThread { jobs, thread }))
}

fn write_all(mut journal: Journal, inbox: &mpsc::Receiver<Job>, shared: &Shared) {
    let mut behind: Vec<Arc<Row>> = Vec::new();
    loop {
        let job = if behind.is_empty() { inbox.recv().ok() } else { inbox.recv_timeout(BEHIND).ok() };
        match job {
            Some(Job::Append { row, reply: None }) if behind.len() < BEHIND_MAX => {
                behind.push(row);
                continue;
            }
            Some(_) | None => {}
        }
        let nothing_was_behind = behind.is_empty();
        for row in behind.drain(..) {
            write(&mut journal, shared, &row).unwrap_or_default();
        }
        match job {
            Some(Job::Append { row, reply }) => {
                let answer = write(&mut journal, shared, &row).map(|()| row);
                if let Some(reply) = reply {
                    // A caller that is gone (its till was stopped) needs no answer; the row is on disk all the same.
                    drop(reply.send(answer));
                }
            }
            Some(Job::Ask(question)) => question(&journal),
            Some(Job::Stop) => return,
            // Nobody is left who could record something; else the wait was over.
            None if nothing_was_behind => return,
            None => {}
        }
    }
}

fn write(journal: &mut Journal, shared: &Shared, row: &Arc<Row>) -> Result<(), String> {
    let result = journal.append_row(Row::clone(row));
    shared.note_health(result.as_ref().err());
    shared.settle(row.seq, result.is_ok());
    result.map(drop).map_err(|e| in_words(&e))
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

impl Recorder {
    /// Puts the event on disk, then tells it. An error is in words a person understands.
    pub async fn record(&self, till: &str, opening: Option<&OpeningId>, event: Event) -> Result<Arc<Row>, String> {
        self.begin(till, opening, event).await.unwrap_or_else(|_| Err("the journal has been closed".to_owned()))
    }

    /// As [`Recorder::record`], with the place in the order taken now and the answer awaited later.
    pub fn begin(
        &self,
        till: &str,
        opening: Option<&OpeningId>,
        event: Event,
    ) -> oneshot::Receiver<Result<Arc<Row>, String>> {
        let (reply, answer) = oneshot::channel();
        self.push(till, opening, event, Some(reply));
        answer
    }

    /// Tells the event at once (after durable ones that were before it) and writes it behind.
    pub fn note(&self, till: &str, event: Event) {
        self.push(till, None, event, None);
    }

    fn push(
        &self,
        till: &str,
        opening: Option<&OpeningId>,
        event: Event,
        reply: Option<oneshot::Sender<Result<Arc<Row>, String>>>,
    ) {
        let mut order = self.shared.order();
        let row =
            Arc::new(Row { seq: order.next, at: clock::wall(), till: till.to_owned(), opening: opening.cloned(), event });
        order.next += 1;
        let durable = reply.is_some();
        if !durable {
            order.waiting.push_back(Waiting { row: Arc::clone(&row), ready: true });
            self.shared.tell(&mut order);
        }
        match self.jobs.try_send(Job::Append { row: Arc::clone(&row), reply }) {
            // The thread settles a row only after it can take this lock, so the place below is there in time.
            Ok(()) if durable => order.waiting.push_back(Waiting { row, ready: false }),
            Ok(()) => {}
            Err(mpsc::TrySendError::Full(Job::Append { reply: Some(reply), .. })) => {
                drop(reply.send(Err("the disk is too slow".to_owned())));
            }
            Err(mpsc::TrySendError::Full(_)) => {
                error!(event = row.event.name(), "the disk is too slow: an event is not kept")
            }
            Err(mpsc::TrySendError::Disconnected(_)) => error!("the journal has been closed"),
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
        let jobs = self.jobs.clone();
        if let Err(mpsc::TrySendError::Full(job)) = jobs.try_send(job) {
            drop(job);
            return Err("the disk is too slow".to_owned());
        }
        answer.await.unwrap_or_else(|_| Err("the journal has been closed".to_owned()))
    }
}

#[cfg(test)]
mod tests;
