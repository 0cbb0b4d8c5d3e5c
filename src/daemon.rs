//! Wiring: start, supervise, stop in order. Decides nothing.
//!
//! Order of start: journal, tills with their devices, API, ready. Order of stop: API, tills (which answer what is on its
//! way, show the idle text and close their ports), journal.
pub mod desk;
pub mod recorder;
mod said;
mod slips;
mod till;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tracing::{error, info, warn};

use self::{
    desk::{KeypadView, TillHandle, TillView},
    recorder::Recorder,
    till::{Devices, House, Till},
};
use crate::{
    api, config,
    device::{DeviceEvent, DrawerState, worker},
    journal::{Journal, JournalError, Row},
    shift::{
        Phase,
        event::{Event, OpeningId},
    },
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
    /// The API's port.
    #[error(
        "the API cannot listen on {listen}: another program has it (`ss -ltnp` names it); change [api] listen or stop that one"
    )]
    Listen {
        /// `[api] listen`.
        listen: SocketAddr,
        /// The cause.
        #[source]
        cause: std::io::Error,
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
            Self::Listen { .. } => true,
            Self::Read(_) | Self::Token(_) | Self::Thread(_) => false,
        }
    }
}

/// Where a running daemon's API is written, for this program's own subcommands: beside the journal.
#[must_use]
pub fn address_file(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".addr");
    PathBuf::from(name)
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
    let listener = TcpListener::bind(listen).await.map_err(|cause| StartError::Listen { listen, cause })?;
    let address = listener.local_addr().map_err(|cause| StartError::Listen { listen, cause })?;
    let mut histories = Vec::new();
    for till in &settings.tills {
        histories.push(history_of(&journal, &till.name)?);
    }
    let (recorder, thread) = recorder::start(journal).map_err(StartError::Thread)?;
    recorder.note("", Event::DaemonStarted { version: env!("CARGO_PKG_VERSION").to_owned() });
    let shopify = Shopify::new(settings.shop.clone(), settings.timing.request_timeout);

    let (mut tills, mut tasks) = (BTreeMap::new(), Vec::new());
    // The tills stop after the API, by a signal of their own.
    let (stop_tills, tills_stop) = watch::channel(false);
    for (till, history) in settings.tills.iter().zip(histories) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (view, shown) = watch::channel(starting(till));
        let devices = attach(till, &settings.timing);
        let handle = TillHandle {
            name: till.name.clone(),
            currency: settings.shop.currency,
            commands,
            view: shown,
            printer: devices.printer.clone(),
        };
        let house = House {
            till: till.clone(),
            shop: settings.shop.clone(),
            staff: settings.staff.clone(),
            timing: settings.timing,
            recorder: recorder.clone(),
            shopify: shopify.clone(),
            commands: inbox,
            view,
            stop: tills_stop.clone(),
        };
        tasks.push(tokio::spawn(Till::new(house, devices, history).run()));
        tills.insert(till.name.clone(), handle);
    }

    let doors = api::Doors {
        tills,
        recorder: recorder.clone(),
        token,
        allowed_origins: settings.api.allowed_origins.clone(),
        stop: stop.clone(),
    };
    let api = serve(listener, doors, stop.clone());
    let file = address_file(&settings.journal);
    write_address(&file, address);
    ready(address, &recorder);
    info!(%address, tills = settings.tills.len(), "ready");

    let mut stop = stop;
    if stop.wait_for(|stop| *stop).await.is_err() {
        info!("nobody is left who could stop this: stopping");
    }
    info!("stopping");
    if let Err(e) = std::fs::remove_file(&file) {
        warn!(file = %file.display(), error = %e, "could not be removed");
    }
    finish(api, "the API").await;
    // Only this sender ends the tills; none left is the same as told.
    stop_tills.send_replace(true);
    for task in tasks {
        finish(task, "a till").await;
    }
    drop(recorder);
    if tokio::task::spawn_blocking(move || thread.stop()).await.is_err() {
        error!("the journal was not closed in order; nothing of it is lost");
    }
    Ok(())
}

/// The opening that is not settled, else the newest one.
fn history_of(journal: &Journal, till: &str) -> Result<Option<(OpeningId, Vec<Row>)>, JournalError> {
    for id in journal.unresolved()? {
        let rows = journal.of_opening(&id)?;
        if rows.first().is_some_and(|r| r.till == till) {
            return Ok(Some((id, rows)));
        }
    }
    let newest = journal.openings_of(till, 1)?.into_iter().next();
    newest.map(|id| journal.of_opening(&id).map(|rows| (id, rows))).transpose()
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

/// What a till shows before its first event.
fn starting(till: &config::Till) -> TillView {
    let why = "just started".to_owned();
    TillView {
        name: till.name.clone(),
        drawer: desk::drawer_view(&DrawerState::Unknown { why }),
        printer: None,
        display: None,
        keypads: Vec::<KeypadView>::new(),
        shift: "closed",
        phase: Phase::Idle,
        opening: None,
    }
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

/// A part that does not end within this long is left behind; the journal makes that safe.
const STOP_WITHIN: std::time::Duration = std::time::Duration::from_secs(4);

async fn finish(mut task: JoinHandle<()>, what: &str) {
    match tokio::time::timeout(STOP_WITHIN, &mut task).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => error!(error = %e, "{what} failed"),
        Err(_) => {
            warn!("{what} did not stop in time and is left behind");
            task.abort();
        }
    }
}
