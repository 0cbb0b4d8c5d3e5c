//! `drawerbridge demo`: the daemon as it is, a simulated till on virtual serial pairs, a simulated shop on loopback, and a
//! scripted cashier (or you).
mod cashier;
mod story;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use drawerbridge_hil::{
    admin::{Fault, FaultRule, Operation},
    bench::{Bench, BenchSpec},
};
use tokio::sync::{broadcast, oneshot, watch};

use self::story::{Ending, Story};
use super::{complain, runtime, say, with_causes};
use crate::{
    config, daemon, journal,
    journal::Row,
    shift::event::{Event, OpeningId},
};

/// Play a whole shift opening on a simulated till.
#[derive(Args)]
#[command(after_help = "Faults: `drawerbridge demo --fault list` names them.")]
pub(super) struct DemoArgs {
    /// You are the cashier: the terminal is keypad and drawer key
    #[arg(long)]
    interactive: bool,
    /// What Shopify or the network does wrong; `list` names them all
    #[arg(long, value_name = "NAME")]
    fault: Option<String>,
    /// Count by denomination instead of one total
    #[arg(long)]
    denominations: bool,
    /// Where the journal and the slip's picture go; a new folder below the system's temporary one when not given
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Show the daemon's own log too
    #[arg(long)]
    log: bool,
}

/// The network is away for the whole count, then comes back.
const API_DOWN: &str = "api-down";
/// Longer than the worst fault takes with the demo's waits.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) fn demo(args: &DemoArgs) -> ExitCode {
    let fault = match args.fault.as_deref() {
        Some("list") => {
            say(format!("{API_DOWN:<16} Shopify cannot be reached until the cashier is done"));
            for (name, what) in Fault::NAMES {
                say(format!("{name:<16} {what}"));
            }
            return ExitCode::SUCCESS;
        }
        Some(API_DOWN) | None => None,
        Some(name) => match Fault::from_name(name) {
            Some(fault) => Some(fault),
            None => {
                complain(format!("there is no fault {name:?}: `drawerbridge demo --fault list` names them"));
                return ExitCode::from(2);
            }
        },
    };
    if args.log {
        super::run::log_to_stderr();
    }
    match runtime() {
        Ok(runtime) => runtime.block_on(play(args, fault)).unwrap_or_else(|why| {
            complain(why);
            ExitCode::FAILURE
        }),
        Err(code) => code,
    }
}

fn folder(args: &DemoArgs) -> Result<PathBuf, String> {
    match &args.dir {
        Some(dir) if dir.join("journal.db").exists() => {
            Err(format!("{} holds a journal already: name another folder, or leave --dir away", dir.display()))
        }
        Some(dir) => Ok(dir.clone()),
        None => tempfile::Builder::new()
            .prefix("drawerbridge-demo-")
            .tempdir()
            .map(tempfile::TempDir::keep)
            .map_err(|e| format!("no folder could be made below the temporary one: {e}; name one with --dir")),
    }
}

async fn play(args: &DemoArgs, fault: Option<Fault>) -> Result<ExitCode, String> {
    let dir = folder(args)?;
    let entry = if args.denominations { "denominations" } else { "total" };
    let spec = BenchSpec { dir: Some(dir.clone()), entry: entry.to_owned(), baud: 38_400, ..BenchSpec::default() };
    let bench =
        Bench::start(spec).await.map_err(|e| format!("the simulated till could not be set up in {}: {e}", dir.display()))?;
    let settings =
        config::load(&bench.config()).map_err(|p| format!("the simulated till's configuration is refused:\n{p}"))?;
    say(story::OPENING_WORDS);
    say(format!("   everything of this run is in {}\n", bench.dir().display()));

    let (tell_stop, stop) = watch::channel(false);
    let (tell_ready, ready) = oneshot::channel();
    let house = tokio::spawn(daemon::run(settings, stop, move |address, recorder| {
        // Nobody waits any more only when the demo is over.
        drop(tell_ready.send((address, recorder.listen())));
    }));
    let Ok((address, told)) = ready.await else {
        return Err(match house.await {
            Ok(Err(e)) => with_causes(&e),
            Ok(Ok(())) | Err(_) => "the daemon ended before it was ready".to_owned(),
        });
    };
    let bench = Arc::new(bench);
    if let Some(fault) = fault.clone() {
        bench.api.fault(FaultRule { on: Operation::Open, fault, times: 1 });
    }
    let down = args.fault.as_deref() == Some(API_DOWN);
    bench.api.set_down(down);
    let mut story = Story::new(&bench, address, args.fault.as_deref());
    let ending = follow(args, &bench, &mut story, told, down).await;

    // No receiver is left only when the daemon has ended by itself.
    tell_stop.send_replace(true);
    match house.await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => return Err(with_causes(&e)),
        Err(e) => return Err(format!("the daemon ended badly: {e}")),
    }
    let picture = save_slips(&bench)?;
    let (rows, _) = journal::verify(&dir.join("journal.db")).map_err(|e| with_causes(&e))?;
    let right = story.summary(&ending, &picture, &dir.join("journal.db"), rows);
    Ok(if right || args.interactive { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Draws what happens while the cashier works, until the opening is settled and its slip is over.
async fn follow(
    args: &DemoArgs,
    bench: &Arc<Bench>,
    story: &mut Story,
    mut told: broadcast::Receiver<Arc<Row>>,
    down: bool,
) -> Ending {
    let till = &bench.tills[0];
    let mut printer = till.printer.events();
    let mut api = bench.api.events();
    let mut frames = till.display.as_ref().expect("the demo's till has a display").frames();
    let mut cashier = if args.interactive {
        tokio::spawn(cashier::from_terminal(Arc::clone(bench)))
    } else {
        tokio::spawn(cashier::scripted(Arc::clone(bench), args.denominations, down))
    };
    let mut ending = Ending::default();
    let give_up = tokio::time::Instant::now() + LONGEST;
    let mut cashier_is_done = false;
    loop {
        if cashier_is_done && ending.is_over() {
            return ending;
        }
        tokio::select! {
            row = told.recv() => if let Ok(row) = row {
                story.row(&row);
                ending.take(&row);
            },
            event = printer.recv() => if let Ok(event) = event { story.printer(&event, &till.printer) },
            event = api.recv() => if let Ok(event) = event { story.api(&event) },
            frame = frames.recv() => if let Ok(frame) = frame { story.frame(&frame) },
            done = &mut cashier, if !cashier_is_done => {
                cashier_is_done = true;
                match done {
                    Ok(Ok(())) if args.interactive => return ending,
                    Ok(Ok(())) => {}
                    Ok(Err(why)) => {
                        story.trouble(&why);
                        return ending;
                    }
                    Err(e) => {
                        story.trouble(&format!("the cashier stopped: {e}"));
                        return ending;
                    }
                }
            },
            () = tokio::time::sleep_until(give_up), if !args.interactive => {
                story.trouble("the opening is still not settled: this should not take so long");
                return ending;
            },
        }
    }
}

/// Every cut slip as a picture beside the journal; the last one is named.
fn save_slips(bench: &Bench) -> Result<Option<PathBuf>, String> {
    let mut last = None;
    for (n, slip) in bench.tills[0].printer.slips().iter().enumerate() {
        let name = if n == 0 { "slip.png".to_owned() } else { format!("slip-{}.png", n + 1) };
        let path: PathBuf = Path::new(bench.dir()).join(name);
        std::fs::write(&path, &slip.png).map_err(|e| format!("{} could not be written: {e}", path.display()))?;
        last = Some(path);
    }
    Ok(last)
}

/// How the opening went, from the daemon's own events.
impl Ending {
    fn take(&mut self, row: &Row) {
        let Some(id) = &row.opening else { return };
        self.id = Some(OpeningId::clone(id));
        match &row.event {
            Event::OpeningCounted(counted) => self.counted = Some(counted.clone()),
            Event::OpeningConfirmed { session, .. } => self.settled = Some((row.event.name(), session.id.clone())),
            Event::OpeningRefused { message, code, .. } => {
                self.settled = Some((row.event.name(), format!("{code}: {message}")));
            }
            Event::OpeningNeedsAttention { why, .. } => self.settled = Some((row.event.name(), why.clone())),
            Event::SlipSending { .. } => self.slips_begun.push(self.settled.is_some()),
            Event::SlipPrinted { proof, .. } => self.slips_over.push(format!("on paper, proven by {proof}")),
            Event::SlipNotProven { why, .. } => self.slips_over.push(format!("not proven: {why}")),
            Event::DaemonStarted { .. }
            | Event::DrawerOpened { .. }
            | Event::DrawerClosed { .. }
            | Event::DrawerKicked { .. }
            | Event::DrawerLeftOpen {}
            | Event::PrinterStatus { .. }
            | Event::DisplayStatus { .. }
            | Event::KeypadStatus { .. }
            | Event::OpeningStarted { .. }
            | Event::OpeningCancelled { .. }
            | Event::OpeningSending { .. }
            | Event::OpeningNotSent { .. }
            | Event::OpeningUnknown { .. }
            | Event::OpeningAbsent { .. }
            | Event::ShiftClosed { .. } => {}
        }
    }
}
