//! The terminal of `drawerbridge-hil serve` and `… printer`: tells what the devices do as they do it, keeps the slips as
//! files, and takes the scenario language line by line.
mod watch;

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::pin,
};

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, BufReader, Lines},
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

pub use watch::{News, Watcher, watch_printer};

use super::{
    Bench, config, slips,
    stage::{Stage, at_printer},
};
use crate::{
    printer::Printer,
    scenario::{self, Manner, Play, Step, verb::Verb},
};

/// Lines that wait to be printed. A slow terminal holds up nothing but the telling.
const LINES: usize = 256;

/// What to do next, for the person who started `serve`.
#[must_use]
pub fn greeting(bench: &Bench, program: Option<&Path>) -> String {
    let config = bench.config();
    // The other terminal may stand in another folder.
    let program = program.map(|program| std::path::absolute(program).unwrap_or_else(|_| program.to_path_buf()));
    let program = quoted(program.as_deref().unwrap_or(Path::new("drawerbridge")));
    let config_word = quoted(&config);
    let mut text = format!(
        "The till is up in {}, the shop at {}. What is printed is kept there as slip-N.txt and slip-N.png.\n\
         Next, in another terminal:\n\n    {program} run --config {config_word}\n\n\
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

/// As a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Greets and serves until `quit` or a signal; the end of the input is no reason to stop. `print` gets whole lines.
pub async fn serve(bench: Bench, program: Option<PathBuf>, print: impl FnMut(&str)) -> io::Result<()> {
    let (tell, told) = mpsc::channel(LINES);
    let mut watchers = Vec::new();
    for (n, till) in bench.tills.iter().enumerate() {
        watchers.extend(watch::watch_till(till, n, &tell));
    }
    watchers.push(watch::watch_shop(&bench.api, tell));
    let mut terminal = Terminal::new(told, watchers, print)?;
    // Who is greeted may come at once: everything is watched by now.
    (terminal.print)(&greeting(&bench, program.as_deref()));
    let mut stage = Stage::new(bench, program);
    let mut play = Play::new(&stage, Manner::Terminal);
    let tills: Vec<_> = stage.bench.tills.iter().map(|till| (till.name.clone(), till.printer.clone())).collect();
    let dir = stage.bench.dir().to_path_buf();
    let keep = |till: usize, index: usize| {
        let (name, printer) = tills.get(till)?;
        kept(slips::save(&dir, name, printer, index))
    };
    while let Some(line) = terminal.line(&keep).await {
        let Some(step) = terminal.understood(&line) else { continue };
        stage.follow_daemon();
        let done = play.perform(&mut stage, &step);
        match terminal.meanwhile(done, &keep).await {
            Some(Ok(())) => (terminal.print)(&format!("✓ {line}")),
            Some(Err(m)) => {
                (terminal.print)(&format!("✗ {line}\nexpected {}\nseen {}", m.expected, m.seen));
            }
            None => break,
        }
    }
    terminal.finish(&keep).await;
    Ok(())
}

/// The same for a printer alone: what is done at a printer and its drawer can be said. Slips are kept in `dir`, if given.
pub async fn serve_printer(printer: &Printer, dir: Option<&Path>, print: impl FnMut(&str)) -> io::Result<()> {
    let (tell, told) = mpsc::channel(LINES);
    let watchers = vec![watch_printer(printer, 0, tell)];
    let mut terminal = Terminal::new(told, watchers, print)?;
    let keep = |_: usize, index: usize| kept(slips::save(dir?, "front-1", printer, index));
    while let Some(line) = terminal.line(&keep).await {
        let Some(step) = terminal.understood(&line) else { continue };
        let done = async {
            match &step.verb {
                Verb::Do(action) => at_printer(printer, action).await,
                Verb::See(_) => Err("here things are done, such as `paper out`; what is seen is told by itself".into()),
            }
        };
        match terminal.meanwhile(done, &keep).await {
            Some(Ok(())) => (terminal.print)(&format!("✓ {line}")),
            Some(Err(why)) => (terminal.print)(&format!("✗ {line}\n{why}")),
            None => break,
        }
    }
    terminal.finish(&keep).await;
    Ok(())
}

fn kept(saved: io::Result<Option<String>>) -> Option<String> {
    match saved {
        Ok(picture) => picture.map(|picture| format!("paper    kept as {picture}")),
        Err(e) => Some(format!("paper    the slip could not be kept: {e}")),
    }
}

/// Input, output and signals of one terminal.
struct Terminal<P> {
    told: mpsc::Receiver<News>,
    watchers: Vec<Watcher>,
    lines: Option<Lines<Box<dyn AsyncBufRead + Unpin + Send>>>,
    interrupt: Signal,
    terminate: Signal,
    print: P,
}

impl<P: FnMut(&str)> Terminal<P> {
    fn new(told: mpsc::Receiver<News>, watchers: Vec<Watcher>, print: P) -> io::Result<Self> {
        let stdin: Box<dyn AsyncBufRead + Unpin + Send> = Box::new(BufReader::new(tokio::io::stdin()));
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { told, watchers, lines: Some(stdin.lines()), interrupt, terminate, print })
    }

    /// The next line somebody says; `None` is a signal or `quit`. What happens meanwhile is told.
    async fn line(&mut self, keep: &impl Fn(usize, usize) -> Option<String>) -> Option<String> {
        loop {
            let line = {
                let Some(mut lines) = self.lines.take() else {
                    // Nobody is there to say anything: serve on until a signal.
                    return self.meanwhile(std::future::pending::<String>(), keep).await;
                };
                let line = self.meanwhile(async { (lines.next_line().await, lines) }, keep).await?;
                match line {
                    (Ok(Some(line)), lines) => {
                        self.lines = Some(lines);
                        line.trim().to_owned()
                    }
                    (Ok(None) | Err(_), _) => continue,
                }
            };
            match line.as_str() {
                "quit" | "exit" => return None,
                _ => return Some(line),
            }
        }
    }

    /// Carries something out while the devices are listened to; what it has caused is told before this returns. `None` when
    /// a signal came first.
    async fn meanwhile<T>(
        &mut self,
        doing: impl Future<Output = T>,
        keep: &impl Fn(usize, usize) -> Option<String>,
    ) -> Option<T> {
        let Self { told, watchers, interrupt, terminate, print, lines: _ } = self;
        let mut done = pin!(async {
            let done = doing.await;
            caught_up(watchers).await;
            done
        });
        loop {
            tokio::select! {
                biased;
                _ = interrupt.recv() => return None,
                _ = terminate.recv() => return None,
                Some(news) = told.recv() => tell(news, print, keep),
                done = &mut done => {
                    // What came between the look above and this one.
                    while let Ok(news) = told.try_recv() {
                        tell(news, print, keep);
                    }
                    return Some(done);
                }
            }
        }
    }

    /// Tells, and keeps, what has happened until now: a slip that is cut is not lost because somebody says `quit`.
    async fn finish(&mut self, keep: &impl Fn(usize, usize) -> Option<String>) {
        let watchers = std::mem::take(&mut self.watchers);
        let mut all = pin!(caught_up(&watchers));
        loop {
            tokio::select! {
                biased;
                Some(news) = self.told.recv() => tell(news, &mut self.print, keep),
                () = &mut all => break,
            }
        }
        while let Ok(news) = self.told.try_recv() {
            tell(news, &mut self.print, keep);
        }
    }

    /// The step that a line means; help and mistakes are answered here.
    fn understood(&mut self, line: &str) -> Option<Step> {
        understood(line, &mut self.print)
    }
}

async fn caught_up(watchers: &[Watcher]) {
    for watcher in watchers {
        watcher.caught_up().await;
    }
}

fn tell(news: News, print: &mut impl FnMut(&str), keep: &impl Fn(usize, usize) -> Option<String>) {
    match news {
        News::Line(line) => print(&line),
        News::Slip { till, index } => {
            if let Some(line) = keep(till, index) {
                print(&line);
            }
        }
    }
}

fn understood(line: &str, print: &mut impl FnMut(&str)) -> Option<Step> {
    match line {
        "help" => {
            for (form, says) in scenario::sentences() {
                print(&format!("  {form:<50} {says}"));
            }
            None
        }
        line if line.is_empty() || line.starts_with('#') => None,
        line => match scenario::step(0, line) {
            Ok(step) => Some(step),
            Err(why) => {
                print(&format!("? {why}"));
                None
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::{BenchSpec, now};

    fn terminal<P: FnMut(&str)>(told: mpsc::Receiver<News>, said: &'static str, print: P) -> Terminal<P> {
        let mut terminal = Terminal::new(told, Vec::new(), print).unwrap();
        let said: Box<dyn AsyncBufRead + Unpin + Send> = Box::new(said.as_bytes());
        terminal.lines = Some(said.lines());
        terminal
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_greeting_is_what_is_typed_next() {
        let dir = tempfile::Builder::new().prefix("a till ").tempdir().unwrap();
        let bench = Bench::start(BenchSpec { dir: Some(dir.path().to_path_buf()), ..BenchSpec::default() }).await.unwrap();
        let text = greeting(&bench, Some(Path::new("/opt/drawerbridge")));
        let config = std::fs::canonicalize(dir.path()).unwrap().join("config.toml");
        assert!(text.contains(&format!("    /opt/drawerbridge run --config '{}'\n", config.display())), "{text}");
    }

    #[test]
    fn mistakes_and_help_are_answered_at_the_terminal() {
        let mut lines = Vec::new();
        let mut print = |line: &str| lines.push(line.to_owned());
        assert!(understood("drawer opened with key", &mut print).is_some());
        for line in ["drawer opend with key", "help", "# nothing", ""] {
            assert!(understood(line, &mut print).is_none(), "{line}");
        }
        assert!(lines[0].contains("did you mean `drawer opened with key`?"), "{}", lines[0]);
        assert!(lines.iter().any(|l| l.contains("drawer pushed shut")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_terminal_takes_the_sentences_of_scenarios_as_of_now() {
        let bench = Bench::start(BenchSpec::default()).await.unwrap();
        let mut stage = Stage::new(bench, None);
        let mut play = Play::new(&stage, Manner::Terminal);
        let start = play.start();
        let mut say = async |line: &str| {
            let began = now();
            let result = play.perform(&mut stage, &scenario::step(0, line).unwrap()).await;
            (result.map_err(|m| m.seen), now() - began)
        };
        assert_eq!(say("drawer opened with key").await.0, Ok(()));
        let (result, took) = say("drawer stands closed").await;
        assert!(result.unwrap_err().contains("stands open") && took < Duration::from_secs(1));
        let (result, took) = say("no session within 200ms").await;
        assert!(
            result.is_ok() && took >= Duration::from_millis(200),
            "what must not be seen is watched for as long as said"
        );
        assert_eq!(say("at 0.5 drawer pushed shut").await.0, Ok(()));
        assert!(start.elapsed() >= Duration::from_millis(500));
        assert!(say("daemon starts").await.0.unwrap_err().contains("in another terminal"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_long_wait_does_not_hold_up_what_is_told() {
        let (tell, told) = mpsc::channel(LINES);
        let mut lines = Vec::new();
        let mut terminal = terminal(told, "wait 60s\n", |line: &str| lines.push(line.to_owned()));
        let keep = |_, _| None;
        assert_eq!(terminal.line(&keep).await.as_deref(), Some("wait 60s"));
        tell.send(News::Line("drawer   open".into())).await.unwrap();
        let wait = terminal.meanwhile(tokio::time::sleep(Duration::from_secs(60)), &keep);
        assert!(tokio::time::timeout(Duration::from_millis(100), wait).await.is_err());
        assert_eq!(lines, ["drawer   open"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_sentence_causes_is_told_before_it_is_answered() {
        let attach = crate::line::Attach::Tcp { listen: ([127, 0, 0, 1], 0).into() };
        let printer = Printer::spawn(crate::printer::PrinterSpec::default(), attach).await.unwrap();
        let (tell, told) = mpsc::channel(LINES);
        let lines = std::cell::RefCell::new(Vec::new());
        let mut terminal = terminal(told, "", |line: &str| lines.borrow_mut().push(line.to_owned()));
        terminal.watchers = vec![watch_printer(&printer, 0, tell)];
        for round in 1..=100 {
            terminal.meanwhile(async { printer.key() }, &|_, _| None).await.unwrap();
            assert_eq!(lines.borrow().last().map(String::as_str), Some("drawer   open"), "round {round}");
            terminal.meanwhile(async { printer.push_drawer_shut() }, &|_, _| None).await.unwrap();
            assert_eq!(lines.borrow().last().map(String::as_str), Some("drawer   closed"), "round {round}");
        }
        printer.key();
        terminal.finish(&|_, _| None).await;
        assert_eq!(lines.borrow().len(), 201);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_end_of_the_input_is_not_the_end_and_quit_is() {
        let keep = |_, _| None;
        let mut at_end = terminal(mpsc::channel(1).1, "", |_: &str| {});
        assert!(tokio::time::timeout(Duration::from_millis(100), at_end.line(&keep)).await.is_err());
        let mut quits = terminal(mpsc::channel(1).1, "quit\n", |_: &str| {});
        assert_eq!(quits.line(&keep).await, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_slip_is_kept_as_it_comes_out_also_one_that_came_before_anybody_watched() {
        let dir = tempfile::tempdir().unwrap();
        let attach = crate::line::Attach::Tcp { listen: ([127, 0, 0, 1], 0).into() };
        let printer = Printer::spawn(crate::printer::PrinterSpec::default(), attach).await.unwrap();
        let (tell, mut told) = mpsc::channel(LINES);
        let mut host = tokio::net::TcpStream::connect(printer.line().addr().unwrap()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut host, b"TOTAL 150.00\n\x1DV\x00").await.unwrap();
        let deadline = now() + Duration::from_secs(5);
        while printer.slip_count() == 0 {
            assert!(now() < deadline, "nothing is cut");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        watch_printer(&printer, 0, tell);
        assert_eq!(told.recv().await, Some(News::Line("printer  somebody opened the port".into())));
        let index = loop {
            if let News::Slip { index, .. } = told.recv().await.unwrap() {
                break index;
            }
        };
        let picture = slips::save(dir.path(), "front-1", &printer, index).unwrap().unwrap();
        assert!(picture.ends_with("slip-1.png"), "{picture}");
        assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
        assert!(std::fs::read_to_string(dir.path().join("slip-1.txt")).unwrap().contains("TOTAL 150.00"));
    }
}
