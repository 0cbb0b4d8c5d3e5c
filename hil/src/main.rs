//! The rig on the command line; nothing but one call per subcommand, and the printing.
#![expect(clippy::print_stdout, reason = "a command line's results go to stdout")]

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use drawerbridge_hil::{
    admin::Fault,
    bench::{Bench, BenchSpec, Wire, console, daemon::find_program, spec::RealPort},
    latency::{self, LatencyOptions},
    line::Attach,
    printer::{Printer, PrinterSpec},
    scenario::{self, RunOptions, report},
};

/// The firmware side of drawerbridge: a simulated till (printer, drawer, display, keypad) and a simulated shop.
#[derive(Parser)]
#[command(version, after_help = "The daemon to test is DRAWERBRIDGE_BIN, --daemon, or `drawerbridge` beside this program.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring up a till and a shop, and take the scenario language on the terminal.
    ///
    /// Writes a ready configuration and says which `drawerbridge run` to start in another terminal.
    Serve {
        /// The folder for the virtual serial pairs and the configuration.
        #[arg(long)]
        dir: PathBuf,
        /// A device on a real port: printer=/dev/ttyUSB1, or printer=/dev/ttyUSB1,/dev/ttyUSB0 with the daemon's end.
        #[arg(long = "port", value_name = "DEVICE=PATH[,OTHER]", value_parser = real_port)]
        ports: Vec<RealPort>,
        /// Speed of the printer's line.
        #[arg(long, default_value_t = 38_400)]
        baud: u32,
        /// The printer on TCP instead of a serial pair.
        #[arg(long)]
        tcp: bool,
        /// The shop's currency.
        #[arg(long, default_value = "USD")]
        currency: String,
        /// More of it, as a scenario writes it after `till`: --till "entry denominations".
        #[arg(long = "till", value_name = "OPTION")]
        options: Vec<String>,
        /// The daemon for `daemon starts`.
        #[arg(long)]
        daemon: Option<PathBuf>,
    },
    /// Play scenarios against the real daemon and report the first line that went wrong.
    Run {
        /// Files, or folders with *.scenario files.
        #[arg(required = true)]
        scenarios: Vec<PathBuf>,
        /// Keep the folder of each till: configuration, journal.
        #[arg(long)]
        keep: bool,
        /// How many are played at a time.
        #[arg(long, default_value_t = 4)]
        jobs: usize,
        /// Show every step of those that went well, too.
        #[arg(long)]
        steps: bool,
        /// The daemon to test.
        #[arg(long)]
        daemon: Option<PathBuf>,
    },
    /// Measure the daemon against floors of the same run.
    Latency {
        /// Measurements per row.
        #[arg(long, default_value_t = 100)]
        runs: usize,
        /// How long the idle daemon is watched, in seconds.
        #[arg(long, default_value_t = 60)]
        idle: u64,
        /// The daemon to measure; build it with --release.
        #[arg(long)]
        daemon: Option<PathBuf>,
    },
    /// Only a receipt printer, for foreign programs.
    Printer {
        /// Listen here, as on port 9100.
        #[arg(long, value_name = "ADDR", conflicts_with = "pair", required_unless_present = "pair")]
        listen: Option<SocketAddr>,
        /// Make a virtual serial pair named `printer` in this folder.
        #[arg(long, value_name = "DIR")]
        pair: Option<PathBuf>,
        /// Font A columns.
        #[arg(long, default_value_t = 42)]
        columns: u8,
    },
    /// List the faults of the simulated shop.
    Faults,
    /// List the sentences of the scenario language.
    Verbs,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(&format!("no runtime: {e}")),
    };
    let code = runtime.block_on(dispatch(cli.command)).unwrap_or_else(|why| failed(&why));
    // A thread may still wait for a line of the terminal that nobody will type.
    runtime.shutdown_background();
    code
}

async fn dispatch(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Serve { dir, ports, baud, tcp, currency, options, daemon } => {
            let wire = if tcp { Wire::Tcp } else { Wire::Pair };
            let mut spec = BenchSpec { dir: Some(dir), ports, baud, wire, currency, ..BenchSpec::default() };
            options.iter().try_for_each(|option| spec.set(option))?;
            let bench = Bench::start(spec).await.map_err(|e| format!("the till cannot be brought up: {e}"))?;
            println!("{}", console::greeting(&bench));
            console::serve(bench, find_program(daemon).ok(), |line| println!("{line}")).await;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { scenarios, keep, jobs, steps, daemon } => {
            let options = RunOptions { program: find_program(daemon)?, keep };
            let scenarios = scenario::load(&scenarios).map_err(|errors| errors.to_string())?;
            let start = tokio::time::Instant::now();
            let reports = scenario::play_all(scenarios, &options, jobs, |report| println!("{}", report.line())).await;
            for report in reports.iter().filter(|r| steps || keep || !r.ok()) {
                println!("\n{report}");
            }
            println!("\n{}", report::summary(&reports, start.elapsed()));
            Ok(if reports.iter().all(report::Report::ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Latency { runs, idle, daemon } => {
            let options =
                LatencyOptions { runs: runs.max(1), idle: Duration::from_secs(idle), program: find_program(daemon)? };
            let table = latency::measure(&options, |doing| eprintln!("{doing} …")).await?;
            println!("{table}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Printer { listen, pair, columns } => {
            let attach = match (listen, pair) {
                (Some(listen), _) => Attach::Tcp { listen },
                (None, Some(dir)) => Attach::Pair { dir, name: "printer".into(), baud: None },
                (None, None) => return Err("say --listen ADDR or --pair DIR".into()),
            };
            printer(attach, columns).await.map_err(|e| format!("the printer cannot be brought up: {e}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Faults => {
            for (name, says) in Fault::NAMES {
                println!("{name:<28} {says}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Verbs => {
            for (form, says) in scenario::sentences() {
                println!("{form:<50} {says}");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Tells what the printer does until a signal.
async fn printer(attach: Attach, columns: u8) -> std::io::Result<()> {
    if let Attach::Pair { dir, .. } = &attach {
        std::fs::create_dir_all(dir)?;
    }
    let printer = Printer::spawn(PrinterSpec { columns, ..PrinterSpec::default() }, attach).await?;
    match (printer.line().addr(), printer.line().path()) {
        (Some(addr), _) => println!("The printer listens on {addr}."),
        (None, Some(path)) => println!("The printer is {}.", path.display()),
        (None, None) => {}
    }
    let (tell, mut told) = tokio::sync::mpsc::channel(256);
    console::watch_printer(&printer, tell);
    loop {
        tokio::select! {
            Some(line) = told.recv() => println!("{line}"),
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    printer.unplug();
    Ok(())
}

fn real_port(text: &str) -> Result<RealPort, String> {
    let (device, paths) = text.split_once('=').ok_or("write printer=/dev/ttyUSB1")?;
    if !["printer", "display", "keypad"].contains(&device) {
        return Err(format!("`{device}` is no device of the till: printer, display and keypad are"));
    }
    let (path, other) = paths.split_once(',').map_or((paths, None), |(path, other)| (path, Some(other)));
    Ok(RealPort { device: device.to_owned(), path: path.into(), other_end: other.map(PathBuf::from) })
}

fn failed(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}
