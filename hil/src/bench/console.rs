//! The terminal of `drawerbridge-hil serve`: draws what the devices do, and takes the scenario language line by line.
use std::path::PathBuf;

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
    time::{Duration, Instant, sleep_until},
};

use super::{Bench, TillRig, config, now, stage::Stage};
use crate::{
    admin::AdminEvent,
    printer::{Printer, PrinterEvent},
    scenario::{self, Step, verb::Verb},
};

/// Lines that wait to be printed. A slow terminal holds up nothing but the telling.
const LINES: usize = 256;

/// What to do next, for the person who started `serve`.
#[must_use]
pub fn greeting(bench: &Bench) -> String {
    let config = bench.config().display().to_string();
    let mut text = format!(
        "The till is up in {}, the shop at {}.\nNext, in another terminal:\n\n    drawerbridge run --config {config}\n\n\
         Then say here what happens, for example `drawer opened with key` and `type 1042 Enter`.\n\
         Robin is 1042, Sam 2001, Kim has the badge B7F3A. `help` lists every sentence, `quit` ends.\n",
        bench.dir().display(),
        bench.api.url()
    );
    if std::fs::read_to_string(&config).is_ok_and(|text| text.contains(config::OTHER_END)) {
        text.push_str(
            "First write the daemon's end of each cable into that file, where `the-other-end-of-the-cable` stands.\n",
        );
    }
    text
}

/// Serves until `quit` or a signal. `print` gets whole lines.
pub async fn serve(bench: Bench, program: Option<PathBuf>, mut print: impl FnMut(&str)) {
    let (tell, mut told) = mpsc::channel(LINES);
    for till in &bench.tills {
        watch_till(till, &tell);
    }
    watch(bench.api.events(), tell.clone(), |event| match event {
        AdminEvent::Request(row) => {
            let ran = if row.executed { "executed" } else { "not executed" };
            let status = if row.status == 0 { "dropped".to_owned() } else { row.status.to_string() };
            Some(format!("shop     {} {} -> {status}, {ran}", row.operation, row.variables))
        }
        AdminEvent::Session(s) => {
            let state = if s.open { "open" } else { "closed" };
            Some(format!("shop     session {} by {} with {} {}, {state}", s.gid, s.by, s.amount, s.currency))
        }
        AdminEvent::FirstByte(_) => None,
    });
    let mut stage = Stage::new(bench, program);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut at_end = false;
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    loop {
        tokio::select! {
            Some(line) = told.recv() => print(&line),
            line = lines.next_line(), if !at_end => match line {
                Ok(Some(line)) => match said(&mut stage, line.trim(), &mut print).await {
                    Some(answer) => print(&answer),
                    None => return,
                },
                // No terminal: serve on until a signal.
                Ok(None) | Err(_) => at_end = true,
            },
            _ = &mut stop => return,
            () = async { match terminate.as_mut() { Some(t) => { t.recv().await; } None => std::future::pending().await } } => return,
        }
    }
}

/// Does or looks at one line; `None` is `quit`.
async fn said(stage: &mut Stage, line: &str, print: &mut impl FnMut(&str)) -> Option<String> {
    let answer = match line {
        "quit" | "exit" => return None,
        "help" => {
            for (form, says) in scenario::sentences() {
                print(&format!("  {form:<50} {says}"));
            }
            String::new()
        }
        "" => String::new(),
        line if line.starts_with('#') => String::new(),
        line => match scenario::step(0, line) {
            Err(why) => format!("? {why}"),
            Ok(step) => match perform(stage, &step).await {
                Ok(()) => format!("✓ {line}"),
                Err(why) => format!("✗ {line}\n{why}"),
            },
        },
    };
    Some(answer)
}

async fn perform(stage: &mut Stage, step: &Step) -> Result<(), String> {
    let till = usize::from(step.second_till);
    match &step.verb {
        Verb::Do(action) => stage.act(till, action).await,
        Verb::See(expect) => {
            let limit = now() + step.within.unwrap_or(Duration::ZERO);
            loop {
                // A person at the terminal means what is shown now.
                let mut shown = stage.till(till)?.frames.count().saturating_sub(1);
                match scenario::look(stage, till, expect, &mut shown).await {
                    Ok(()) => return Ok(()),
                    Err(m) if now() >= limit => return Err(format!("expected {}\nseen {}", m.expected, m.seen)),
                    Err(_) => sleep_until(Instant::now() + Duration::from_millis(20)).await,
                }
            }
        }
    }
}

fn watch_till(till: &TillRig, tell: &mpsc::Sender<String>) {
    watch_printer(&till.printer, tell.clone());
    if let Some(display) = &till.display {
        watch(display.frames(), tell.clone(), |rows| Some(scenario::draw(&rows)));
    }
}

/// Tells a printer's life as lines.
pub fn watch_printer(printer: &Printer, tell: mpsc::Sender<String>) {
    let printer_then = printer.clone();
    watch(printer.events(), tell, move |event| match event {
        PrinterEvent::Kick(kick) => {
            Some(format!("kick     pin {}, {} ms on, {} ms off, at byte {}", kick.pin, kick.on_ms, kick.off_ms, kick.offset))
        }
        PrinterEvent::Drawer { open } => Some(format!("drawer   {}", if open { "open" } else { "closed" })),
        PrinterEvent::Line(line) => Some(format!("paper    {line}")),
        PrinterEvent::Cut(index) => {
            let slips = printer_then.slips();
            let lines = slips.get(index).map_or(0, |s| s.text.lines().count());
            Some(format!("paper    ✂ slip {} ({lines} lines)", index + 1))
        }
        PrinterEvent::Warning(w) => Some(format!("warning  byte {}: {}", w.offset, w.text)),
        PrinterEvent::Connected => Some("printer  somebody opened the port".into()),
        PrinterEvent::Disconnected => Some("printer  nobody has the port open".into()),
    });
}

fn watch<T: Clone + Send + 'static>(
    mut events: broadcast::Receiver<T>,
    tell: mpsc::Sender<String>,
    words: impl Fn(T) -> Option<String> + Send + 'static,
) {
    tokio::spawn(async move {
        loop {
            let line = match events.recv().await {
                Ok(event) => words(event),
                Err(RecvError::Lagged(n)) => Some(format!("(… {n} lines were too fast to be told)")),
                Err(RecvError::Closed) => return,
            };
            if let Some(line) = line
                && tell.send(line).await.is_err()
            {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::BenchSpec;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_terminal_takes_the_sentences_of_scenarios() {
        let bench = Bench::start(BenchSpec::default()).await.unwrap();
        assert!(greeting(&bench).contains(&format!("drawerbridge run --config {}", bench.config().display())));
        let mut stage = Stage::new(bench, None);
        let mut lines = Vec::new();
        let mut print = |line: &str| lines.push(line.to_owned());
        assert_eq!(said(&mut stage, "drawer opened with key", &mut print).await.unwrap(), "✓ drawer opened with key");
        assert!(said(&mut stage, "drawer stands closed", &mut print).await.unwrap().starts_with('✗'));
        assert!(said(&mut stage, "drawer opend with key", &mut print).await.unwrap().contains("did you mean"));
        assert!(said(&mut stage, "daemon starts", &mut print).await.unwrap().contains("in another terminal"));
        assert_eq!(said(&mut stage, "help", &mut print).await.unwrap(), "");
        assert!(said(&mut stage, "quit", &mut print).await.is_none());
        assert!(lines.iter().any(|l| l.contains("drawer opened with key")));
    }
}
