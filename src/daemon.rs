//! Wiring: start, supervise, stop in order. Decides nothing.
//!
//! Order of start: journal, tills with their devices, API, ready. Order of stop: API, tills (which answer what is on its
//! way, show the idle text and close their ports), journal.
pub mod desk;
pub mod recorder;
mod records;
#[cfg(test)]
mod records_tests;
mod said;
mod session_watch;
mod slips;
mod till;
mod words;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};
use tracing::{error, info, warn};

use self::{
    desk::TillHandle,
    recorder::Recorder,
    till::{Devices, History, House, Till},
};
use crate::{
    api, config,
    device::{DeviceEvent, worker},
    journal::{self, Journal, JournalError, Row},
    shift::event::{Event, OpeningId},
    shopify::Shopify,
};

/// Device events that may wait for a till that is busy; it never is for long.
const EVENTS: usize = 256;
/// API wishes that may wait.
const COMMANDS: usize = 32;

/// Why the daemon does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal could not be read.
    #[error("the journal could not be read: {0}")]
    Read(String),
    /// The API's token.
    #[error(transparent)]
    Token(#[from] api::token::TokenError),
    /// Another program has the API's port.
    #[error(
        "the API cannot listen on {listen}: another program has it (`ss -ltnp` names it); change [api] listen or stop that one"
    )]
    Taken {
        /// `[api] listen`.
        listen: SocketAddr,
    },
    /// The API's port cannot be had at all.
    #[error("the API cannot listen on {listen}: change [api] listen to an address and port that this user may have")]
    Listen {
        /// `[api] listen`.
        listen: SocketAddr,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
    /// A part of it ended although nobody told it to.
    #[error("{part} ended by itself ({how}): this is a bug of drawerbridge; nothing that was saved is lost, start it again")]
    Ended {
        /// Which part.
        part: &'static str,
        /// A panic's words, or that it returned.
        how: String,
    },
    /// The system.
    #[error("the journal's thread could not be started: the system has no room for one more")]
    Thread(#[source] std::io::Error),
}

impl StartError {
    /// Trying again later helps: exit code 75.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Journal(e) => e.is_temporary(),
            Self::Taken { .. } => true,
            Self::Listen { .. } | Self::Ended { .. } | Self::Read(_) | Self::Token(_) | Self::Thread(_) => false,
        }
    }
}

/// Where a running daemon's API is written, for this program's own subcommands: beside the journal.
#[must_use]
pub fn address_file(journal: &Path) -> PathBuf {
    journal::beside(journal, ".addr")
}

/// Runs until `stop` becomes true. `ready` is called once everything is up.
pub async fn run(
    settings: config::Settings,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(SocketAddr, &Recorder),
) -> Result<(), StartError> {
    let journal = Journal::open(&settings.journal)?;
    let token = api::token::ApiToken::load_or_make(&settings.api.token_file)?;
    let listen = settings.api.listen;
    let listener = TcpListener::bind(listen).await.map_err(|cause| {
        let taken = cause.kind() == std::io::ErrorKind::AddrInUse;
        if taken { StartError::Taken { listen } } else { StartError::Listen { listen, cause } }
    })?;
    let address = listener.local_addr().map_err(|cause| StartError::Listen { listen, cause })?;
    let mut histories = Vec::new();
    for till in &settings.tills {
        histories.push(history_of(&journal, till)?);
    }
    say_what_no_till_claims(&journal, &histories)?;
    let (recorder, thread) = recorder::start(journal).map_err(StartError::Thread)?;
    recorder.note("", Event::DaemonStarted { version: env!("CARGO_PKG_VERSION").to_owned() });
    let shopify = Shopify::new(settings.shop.clone(), settings.timing.request_timeout);

    let (mut tills, mut tasks) = (BTreeMap::new(), JoinSet::new());
    // The tills stop after the API, by a signal of their own.
    let (stop_tills, tills_stop) = watch::channel(false);
    for (till, history) in settings.tills.iter().zip(histories) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let devices = attach(till, &settings.timing);
        let printer = devices.printer.clone();
        let house = House {
            till: till.clone(),
            shop: settings.shop.clone(),
            staff: settings.staff.clone(),
            timing: settings.timing,
            recorder: recorder.clone(),
            shopify: shopify.clone(),
            commands: inbox,
            stop: tills_stop.clone(),
        };
        let (till_task, view) = Till::new(house, devices, history);
        let handle = TillHandle {
            name: till.name.clone(),
            currency: settings.shop.currency,
            second_slip: till.count.second_slip,
            commands,
            view,
            printer,
        };
        tasks.spawn(till_task.run());
        tills.insert(till.name.clone(), handle);
    }

    // The API ends by a signal of its own, because a part that fails ends it too.
    let (stop_api, api_stop) = watch::channel(false);
    let doors = api::Doors {
        tills,
        recorder: recorder.clone(),
        token,
        allowed_origins: settings.api.allowed_origins.clone(),
        stop: api_stop.clone(),
    };
    let mut api = serve(listener, doors, api_stop);
    let file = address_file(&settings.journal);
    write_address(&file, address);
    ready(address, &recorder);
    info!(%address, tills = settings.tills.len(), "ready");

    let mut stop = stop;
    let failed = tokio::select! {
        told = stop.wait_for(|stop| *stop) => {
            info!(orderly = told.is_ok(), "stopping");
            None
        }
        Some(ended) = tasks.join_next() => Some(StartError::Ended { part: "a till", how: how(ended) }),
        ended = &mut api => Some(StartError::Ended { part: "the API", how: how(ended) }),
    };
    if let Err(e) = std::fs::remove_file(&file) {
        warn!(file = %file.display(), error = %e, "could not be removed");
    }
    stop_api.send_replace(true);
    if !api.is_finished() && tokio::time::timeout(API_STOPS_WITHIN, &mut api).await.is_err() {
        warn!("the API did not stop in time and is left behind");
        api.abort();
    }
    // Only this sender ends the tills; none left is the same as told.
    stop_tills.send_replace(true);
    if tokio::time::timeout(TILLS_STOP_WITHIN, drain(&mut tasks)).await.is_err() {
        warn!("a till did not stop in time and is left behind; the journal makes that safe");
        tasks.abort_all();
    }
    drop(recorder);
    let closing = tokio::task::spawn_blocking(move || thread.stop());
    match tokio::time::timeout(JOURNAL_STOPS_WITHIN, closing).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => error!("the journal was not closed in order; nothing of it is lost"),
        Err(_) => error!("the journal's disk does not answer; what was called saved is on it"),
    }
    failed.map_or(Ok(()), Err)
}

/// An open event stream ends by itself; a request that waits for a till has its answer within this.
const API_STOPS_WITHIN: Duration = Duration::from_secs(4);
/// A till's last answers (3 s, twice), its display (1 s) and its printer (3 s) end one after the other.
const TILLS_STOP_WITHIN: Duration = Duration::from_secs(12);
/// A disk that takes longer hangs.
const JOURNAL_STOPS_WITHIN: Duration = Duration::from_secs(10);

async fn drain(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(e) = ended {
            error!(error = %e, "a till failed");
        }
    }
}

fn how(ended: Result<(), tokio::task::JoinError>) -> String {
    ended.err().map_or_else(|| "it returned".to_owned(), |e| e.to_string())
}

/// Openings of one till that something may follow from: the unsettled one of its device, then its newest ones.
fn history_of(journal: &Journal, till: &config::Till) -> Result<History, JournalError> {
    let mut ids: Vec<OpeningId> = Vec::new();
    for id in journal.unresolved()? {
        if device_of(&journal.of_opening(&id)?) == Some(&till.device_id) {
            ids.push(id);
        }
    }
    // Openings that were given up before a count push nothing out of sight.
    let newest = journal.openings_of(&till.name, 1)?;
    for id in newest.into_iter().chain(journal.counted_of_device(&till.name, &till.device_id, HISTORY)?) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.into_iter().map(|id| journal.of_opening(&id).map(|rows| (id, rows))).collect()
}

/// How many counts are looked through at start for slips that are still owed and questions that nobody has answered.
const HISTORY: u32 = 8;

/// The device that an opening was counted for: it stays the same when a till is renamed.
fn device_of(rows: &[Row]) -> Option<&str> {
    rows.iter().find_map(|row| {
        if let Event::OpeningCounted(counted) = &row.event { Some(counted.point_of_sale_device_id.as_str()) } else { None }
    })
}

/// A saved count whose till is gone from the configuration must not be forgotten in silence.
fn say_what_no_till_claims(journal: &Journal, histories: &[History]) -> Result<(), JournalError> {
    for id in journal.unresolved()? {
        if histories.iter().flatten().any(|(known, _)| *known == id) {
            continue;
        }
        let rows = journal.of_opening(&id)?;
        let till = rows.first().map_or("", |row| &row.till);
        error!(opening = %id, till, device = device_of(&rows),
            "a saved count is not settled, and no [[till]] has its device: put point_of_sale_device_id back until it is");
    }
    Ok(())
}

fn attach(till: &config::Till, timing: &config::Timing) -> Devices {
    let (to_till, events) = mpsc::channel(EVENTS);
    let (to_keys, keys) = mpsc::channel(EVENTS);
    let printer = till.printer.as_ref().map(|p| worker::spawn_printer(p.clone(), till.drawer, *timing, to_till.clone()));
    let display = till.display.as_ref().and_then(|display| match (&display.port, &printer) {
        (config::Port::ViaPrinter, Some(printer)) => Some(worker::display_via(printer, display.clone())),
        (config::Port::ViaPrinter, None) => None,
        (config::Port::Serial { .. } | config::Port::Tcp(_) | config::Port::Evdev(_), _) => {
            Some(worker::spawn_display(display.clone(), *timing, to_till.clone()))
        }
    });
    let keypads = till.keypads.iter().enumerate().map(|(place, keypad)| {
        let (to_here, mut from_keypad) = mpsc::channel::<DeviceEvent>(EVENTS);
        let to_keys = to_keys.clone();
        tokio::spawn(async move {
            while let Some(event) = from_keypad.recv().await {
                if to_keys.send((place, event)).await.is_err() {
                    return;
                }
            }
        });
        worker::spawn_keypad(keypad.clone(), *timing, to_here)
    });
    Devices { printer, display, keypads: keypads.collect(), events, keys }
}

fn serve(listener: TcpListener, doors: api::Doors, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    let until = async move {
        // A gone sender stops as well.
        drop(stop.wait_for(|stop| *stop).await);
    };
    tokio::spawn(api::serve::serve(listener, api::router(doors), until))
}

fn write_address(file: &Path, address: SocketAddr) {
    let write = || {
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let new = tempfile::NamedTempFile::new_in(folder)?;
        std::fs::write(new.path(), format!("{address}\n"))?;
        new.persist(file).map_err(|e| e.error)
    };
    if let Err(e) = write() {
        warn!(file = %file.display(), error = %e, "the API's address is not written down: `status` and `kick` use [api] listen");
    }
}
