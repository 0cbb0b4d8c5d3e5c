//! The rig on the command line; nothing but one call per subcommand, and the printing.
#![expect(clippy::print_stdout, reason = "a command line's results go to stdout")]

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use drawerbridge_hil::{
    admin::Fault,
    bench::{
        self, Bench, BenchSpec, Wire, console,
        daemon::{find_program, refuse_stale},
        spec::{RealPort, quirk},
    },
    crash::{
        self,
        kill::{self, KillOptions},
        syscalls::{self, SyscallOptions},
    },
    latency::{self, LatencyOptions},
    line::Attach,
    printer::{Printer, PrinterSpec, Quirks},
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
        /// A device on a real port: /dev/ttyUSB1 for the printer, or printer=/dev/ttyUSB1,/dev/ttyUSB0 with the daemon's end.
        #[arg(long = "port", value_name = "[DEVICE=]PATH[,OTHER]", value_parser = real_port)]
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
        /// Keep the folder of each till: configuration, journal, slips, log. That of a failed scenario stays in any case.
        #[arg(long)]
        keep: bool,
        /// How many are played at a time: by itself four for each core.
        #[arg(long)]
        jobs: Option<usize>,
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
    /// End the daemon by kill -9 at random moments, thousands of times, and hold what is left against what was said.
    ///
    /// Prints one line and ends with 0 if nothing was lost, doubled, changed or said wrongly.
    Kill {
        /// Kills, each with the start after it.
        #[arg(long, default_value_t = 10_000)]
        cycles: u64,
        /// Where all choices come from; a new one each time when not given.
        #[arg(long)]
        seed: Option<u64>,
        /// Tills at a time: by itself eight for each core.
        #[arg(long)]
        jobs: Option<usize>,
        /// Only the till of this number, as a failure names it.
        #[arg(long)]
        till: Option<u64>,
        /// The daemon to test.
        #[arg(long)]
        daemon: Option<PathBuf>,
    },
    /// End the daemon before and after every system call that leaves something behind, and let each of them fail.
    ///
    /// Needs strace. Prints the calls on stderr and one line on stdout, and ends with 0 if every call was reached and nothing
    /// was lost, doubled or said wrongly.
    Syscalls {
        /// `all`, or so many runs spread over everything.
        #[arg(long, default_value = "all", value_parser = how_many)]
        points: HowMany,
        /// Only runs whose name has this in it, as a failure gives it: `EIO, journal`.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
        /// Chooses what is counted and which runs are done; a new one each time when not given.
        #[arg(long)]
        seed: Option<u64>,
        /// Tills at a time: by itself four for each core.
        #[arg(long)]
        jobs: Option<usize>,
        /// The daemon to test.
        #[arg(long)]
        daemon: Option<PathBuf>,
    },
    /// Only a receipt printer with its drawer, for foreign programs.
    ///
    /// Takes on its terminal what is done at a printer: `paper out`, `cover opened`, `drawer opened with key` and so on.
    Printer(PrinterArgs),
    /// List the faults of the simulated shop.
    Faults,
    /// List the sentences of the scenario language.
    Verbs,
}

#[derive(clap::Args)]
struct PrinterArgs {
    #[command(flatten)]
    place: PrinterPlace,
    /// Speed of the real port.
    #[arg(long, default_value_t = 38_400)]
    baud: u32,
    /// Font A columns.
    #[arg(long, default_value_t = 42)]
    columns: u8,
    /// What other printers can and this one cannot: asb, "process id" or answers. May be given several times.
    #[arg(long, value_name = "WHAT")]
    without: Vec<String>,
    /// Keep slips in this folder, as slip-N.txt and slip-N.png.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct PrinterPlace {
    /// Listen here, as on port 9100.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Make a virtual serial pair named `printer` in this folder.
    #[arg(long, value_name = "DIR")]
    pair: Option<PathBuf>,
    /// Sit on this real port.
    #[arg(long, value_name = "PATH")]
    port: Option<PathBuf>,
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
            if tcp && ports.iter().any(|port| port.device == "printer") {
                return Err("the printer is either on --tcp or on the --port given for it: leave one of them away".into());
            }
            let wire = if tcp { Wire::Tcp } else { Wire::Pair };
            let mut spec = BenchSpec { dir: Some(dir), ports, baud, wire, currency, ..BenchSpec::default() };
            options.iter().try_for_each(|option| spec.set(option))?;
            let bench = Bench::start(spec).await.map_err(|e| format!("the till cannot be brought up: {e}"))?;
            let program = find_program(daemon).ok();
            console::serve(bench, program, |line| println!("{line}")).await.map_err(|e| format!("the terminal: {e}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { scenarios, keep, jobs, steps, daemon } => {
            let options = RunOptions { program: program(daemon)?, keep };
            let scenarios = scenario::load(&scenarios).map_err(|errors| errors.to_string())?;
            let jobs = jobs.unwrap_or_else(bench::default_jobs);
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
        Command::Kill { cycles, seed, jobs, till, daemon } => {
            let program = program(daemon)?;
            let jobs = jobs.unwrap_or_else(kill::default_jobs);
            let options = KillOptions { cycles, seed: seed.unwrap_or_else(crash::fresh_seed), jobs, till, program };
            let report = kill::run(&options).await;
            println!("{report}");
            Ok(if report.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Syscalls { points, only, seed, jobs, daemon } => {
            let (program, jobs) = (program(daemon)?, jobs.unwrap_or_else(bench::default_jobs));
            let seed = seed.unwrap_or_else(crash::fresh_seed);
            let report = syscalls::run(&SyscallOptions { runs: points.0, only, seed, jobs, program }).await?;
            eprint!("{}", report.list());
            println!("{report}");
            Ok(if report.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Printer(args) => {
            printer(args).await?;
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

/// The daemon to test, with a word about one that is older than what it is made of.
fn program(daemon: Option<PathBuf>) -> Result<PathBuf, String> {
    bench::patience()?;
    let program = find_program(daemon)?;
    if let Err(why) = refuse_stale(&program) {
        eprintln!("Take care: {why}");
    }
    Ok(program)
}

/// Tells what the printer does until a signal.
async fn printer(args: PrinterArgs) -> Result<(), String> {
    let attach = match (args.place.listen, args.place.pair, args.place.port) {
        (Some(listen), _, _) => Attach::Tcp { listen },
        (None, Some(dir), _) => Attach::Pair { dir, name: "printer".into(), baud: None },
        (None, None, Some(path)) => Attach::Port { path, baud: args.baud },
        (None, None, None) => return Err("say --listen ADDR, --pair DIR or --port PATH".into()),
    };
    let mut quirks = Quirks::default();
    args.without.iter().try_for_each(|lacks| quirk(&mut quirks, lacks))?;
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    let spec = PrinterSpec { columns: args.columns, quirks, ..PrinterSpec::default() };
    let printer = Printer::spawn(spec, attach).await.map_err(|e| format!("the printer cannot be brought up: {e}"))?;
    match (printer.line().addr(), printer.line().path()) {
        (Some(addr), _) => println!("The printer listens on {addr}."),
        (None, Some(path)) => println!("The printer is {}.", path.display()),
        (None, None) => {}
    }
    println!("Say here what is done at it, for example `paper out` or `drawer opened with key`. `quit` ends.");
    let served = console::serve_printer(&printer, args.dir.as_deref(), |line| println!("{line}")).await;
    printer.unplug();
    served.map_err(|e| format!("the terminal: {e}"))
}

/// So many, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HowMany(Option<usize>);

fn how_many(text: &str) -> Result<HowMany, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(HowMany(None)),
        (_, Ok(n @ 1..)) => Ok(HowMany(Some(n))),
        (_, _) => Err("write a number from 1 on, or all".into()),
    }
}

fn real_port(text: &str) -> Result<RealPort, String> {
    // A path by itself is the printer's; a path with a `=` in it is none that a till has.
    let (device, paths) = text.split_once('=').unwrap_or(("printer", text));
    if paths.is_empty() || paths.starts_with(',') {
        return Err("write the port, as in printer=/dev/ttyUSB1".into());
    }
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_path_is_the_printers_port() {
        let port = real_port("/dev/ttyUSB1").unwrap();
        assert_eq!((port.device.as_str(), port.path.to_str(), port.other_end), ("printer", Some("/dev/ttyUSB1"), None));
        let port = real_port("display=/dev/ttyUSB1,/dev/ttyUSB0").unwrap();
        assert_eq!((port.device.as_str(), port.other_end), ("display", Some("/dev/ttyUSB0".into())));
        assert!(real_port("scale=/dev/ttyUSB1").unwrap_err().contains("`scale` is no device"));
        assert!(real_port("printer=").is_err());
    }

    #[tokio::test]
    async fn a_printer_on_two_wires_is_refused() {
        let cli = Cli::parse_from(["drawerbridge-hil", "serve", "--dir", "/x", "--port", "/dev/ttyUSB1", "--tcp"]);
        assert!(dispatch(cli.command).await.unwrap_err().contains("either on --tcp or on the --port"));
    }
}
