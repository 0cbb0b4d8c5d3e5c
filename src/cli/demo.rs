//! `drawerbridge demo`: the daemon as it is, a simulated till on virtual serial pairs, a simulated shop on loopback, and a
//! scripted cashier (or you).
mod cashier;
mod ending;
mod plot;
mod story;
mod terminal;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use drawerbridge_hil::bench::{Bench, BenchSpec};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
};

use self::{
    cashier::Cashier,
    ending::{Ending, Progress},
    plot::Plot,
    story::Story,
    terminal::{KEYS, RawTerminal},
};
use super::{USAGE, complain, runtime, say, with_causes};
use crate::{
    config,
    daemon::{self, StartError},
    journal::{self, Row},
};

const LONG: &str = "\
Brings up a till (printer with drawer, pole display, keypad on virtual serial pairs) and a shop (a strict Admin API on
loopback), runs the daemon on them, and draws what happens. Nothing leaves this machine. The waits are shorter than a
real shop's: the quiet period is 1 s instead of 2 minutes.

Exit codes: 0 it ended as it must; 1 it did not, or the till could not be set up; 2 there is no such fault. With
--interactive: 0 whenever you leave.

Examples:
  drawerbridge demo
  drawerbridge demo --fault drop-after        the shop's answer is lost: is there one session, or two?
  drawerbridge demo --fault list
  drawerbridge demo --interactive             you are the cashier
  printf 'o1042\\n15000\\n\\ns' | drawerbridge demo --interactive";

/// Play a whole shift opening on a simulated till.
#[derive(Args)]
#[command(after_long_help = LONG)]
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
    /// Where the journal and the slip go; a new folder below the system's temporary one when not given
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Show the daemon's own log too
    #[arg(long)]
    log: bool,
}

pub(super) fn demo(args: &DemoArgs) -> ExitCode {
    if args.fault.as_deref() == Some("list") {
        let listed = Plot::names().try_for_each(|(name, what)| say(format!("{name:<42} {what}")));
        return listed.err().unwrap_or(ExitCode::SUCCESS);
    }
    let Some(plot) = Plot::from_name(args.fault.as_deref()) else {
        let name = args.fault.as_deref().unwrap_or_default();
        complain(format!("there is no fault {name:?}: `drawerbridge demo --fault list` names them"));
        return ExitCode::from(USAGE);
    };
    if args.log {
        super::run::log_to_stderr();
    }
    // Outlives the runtime: the terminal is put back however the play ends.
    let _raw = if args.interactive { RawTerminal::enter() } else { None };
    match runtime() {
        Ok(runtime) => {
            let code = runtime.block_on(play(args, plot)).unwrap_or_else(|why| {
                complain(why);
                ExitCode::FAILURE
            });
            runtime.shutdown_timeout(super::run::LEFT_BEHIND_AFTER);
            code
        }
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

async fn play(args: &DemoArgs, plot: Plot) -> Result<ExitCode, String> {
    let dir = folder(args)?;
    let entry = if args.denominations { "denominations" } else { "total" };
    let mut spec = BenchSpec { dir: Some(dir.clone()), entry: entry.to_owned(), baud: 38_400, ..BenchSpec::default() };
    if let Some((key, value)) = plot.timing() {
        spec.timing.retain(|(k, _)| *k != key);
        spec.timing.push((key, value));
    }
    let bench =
        Bench::start(spec).await.map_err(|e| format!("the simulated till could not be set up in {}: {e}", dir.display()))?;
    let settings =
        config::load_for_run(&bench.config()).map_err(|p| format!("the simulated till's configuration is refused:\n{p}"))?;
    let bench = Arc::new(bench);
    let mut story = Story::new(plot.clone());
    story.plain(story::OPENING_WORDS);
    story.plain(&format!("   folder:    {}", bench.dir().display()));
    story.plain(if args.interactive { KEYS } else { "" });

    let (tell_stop, stop) = watch::channel(false);
    let (tell_ready, ready) = oneshot::channel();
    let mut house = tokio::spawn(daemon::run(settings, stop, move |address, recorder| {
        // Nobody waits any more only when the demo is over.
        drop(tell_ready.send((address, recorder.listen())));
    }));
    let Ok((address, told)) = ready.await else {
        return Err(match house.await {
            Ok(Err(e)) => with_causes(&e),
            Ok(Ok(())) | Err(_) => "the daemon ended before it was ready".to_owned(),
        });
    };
    plot.prepare(&bench.api);
    story.begins(address);
    let ending = follow(args, &bench, &mut story, told, &plot, &mut house).await;

    // No receiver is left only when the daemon has ended by itself.
    tell_stop.send_replace(true);
    if !house.is_finished() {
        match house.await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(with_causes(&e)),
            Err(e) => return Err(format!("the daemon ended badly: {e}")),
        }
    }
    save_slips(&bench)?;
    let journal = bench.dir().join("journal.db");
    let (rows, _) = journal::verify(&journal).map_err(|e| with_causes(&e))?;
    let code = if args.interactive {
        story.farewell(ending.progress());
        ExitCode::SUCCESS
    } else {
        let faults = ending.faults(&plot.must(), &bench);
        story.verdict(&faults);
        if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    };
    story.summary(&ending, &bench, rows, &journal, args.dir.is_none());
    Ok(story.lost.unwrap_or(code))
}

/// Draws what happens while the cashier works, until nothing of the opening is left to be seen.
async fn follow(
    args: &DemoArgs,
    bench: &Arc<Bench>,
    story: &mut Story,
    mut told: broadcast::Receiver<Arc<Row>>,
    plot: &Plot,
    house: &mut JoinHandle<Result<(), StartError>>,
) -> Ending {
    let till = &bench.tills[0];
    let mut printer = till.printer.events();
    let mut api = bench.api.events();
    let mut frames = till.display.as_ref().expect("the demo's till has a display").frames();
    let (tell, mut done) = mpsc::channel(16);
    let (progress, seen) = watch::channel(Progress::Nothing);
    let cashier = Cashier { bench: Arc::clone(bench), tell, progress: seen };
    let mut cashier = if args.interactive {
        tokio::spawn(terminal::work(cashier, *plot == Plot::ApiDown))
    } else {
        tokio::spawn(cashier.play(args.denominations, plot.clone()))
    };
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()]
        .map(|kind| signal(kind).ok());
    let mut ending = Ending::default();
    let give_up = crate::clock::now() + plot.patience() * 2;
    let mut at_rest = false;
    let trouble = loop {
        if story.lost.is_some() || (at_rest && ending.is_over()) {
            break None;
        }
        let due = story.due();
        // In the order in which one thing follows from another.
        tokio::select! {
            biased;
            Some(what) = done.recv() => story.told(&what),
            row = told.recv() => match row {
                Ok(row) => {
                    story.row(&row);
                    ending.take(&row);
                    progress.send_replace(ending.progress());
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => break Some("the daemon tells no events any more".to_owned()),
            },
            event = api.recv() => if let Ok(event) = event { story.api(&event) },
            frame = frames.recv() => if let Ok(frame) = frame { story.frame(&frame) },
            event = printer.recv() => if let Ok(event) = event { story.printer(&event, &till.printer) },
            () = sleep_until(due), if due.is_some() => story.flush(),
            ended = &mut *house => break Some(match ended {
                Ok(Ok(())) => "the daemon ended".to_owned(),
                Ok(Err(e)) => with_causes(&e),
                Err(e) => format!("the daemon ended badly: {e}"),
            }),
            played = &mut cashier, if !at_rest => {
                at_rest = true;
                match played {
                    Ok(Ok(())) if args.interactive => break None,
                    Ok(Ok(())) => {}
                    Ok(Err(why)) => break Some(why),
                    Err(e) => break Some(format!("the cashier stopped: {e}")),
                }
            },
            () = any(&mut signals) => {
                break (!args.interactive).then(|| "it was ended by a signal".to_owned());
            },
            () = tokio::time::sleep_until(give_up.into()), if !args.interactive => {
                break Some("it is still not over: this should not take so long".to_owned());
            },
        }
    };
    if let Some(why) = trouble {
        story.trouble(&why);
        ending.troubles.push(why);
    }
    story.flush();
    ending
}

async fn sleep_until(at: Option<std::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Any of the signals that end a program.
async fn any(signals: &mut [Option<Signal>; 4]) {
    let [a, b, c, d] = signals.each_mut().map(heard);
    tokio::select! {
        () = a => {}
        () = b => {}
        () = c => {}
        () = d => {}
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Every cut slip as a picture and as text beside the journal.
fn save_slips(bench: &Bench) -> Result<(), String> {
    for (n, slip) in bench.tills[0].printer.slips().iter().enumerate() {
        let stem = if n == 0 { "slip".to_owned() } else { format!("slip-{}", n + 1) };
        let path = Path::new(bench.dir()).join(stem);
        let write = |ending: &str, bytes: &[u8]| -> io::Result<()> { fs::write(path.with_extension(ending), bytes) };
        write("png", &slip.png)
            .and_then(|()| write("txt", slip.text.as_bytes()))
            .map_err(|e| format!("{} could not be written: {e}", path.display()))?;
    }
    Ok(())
}
