//! Reads a scenario file: `title` and `till` lines, then the steps. Errors name the file, the line and the nearest sentence.
use std::{fmt, time::Duration};

use super::{
    grammar::{self, Word},
    verb::Verb,
};
use crate::bench::BenchSpec;

/// A scenario, ready to be played.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file's name without its ending.
    pub name: String,
    /// What it shows, in one line.
    pub title: String,
    /// The till it is played at.
    pub till: BenchSpec,
    /// What happens, in this order.
    pub steps: Vec<Step>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line's number, from 1.
    pub line: usize,
    /// The line as written.
    pub text: String,
    /// Not before this long after the start.
    pub at: Option<Duration>,
    /// An expectation's limit, where the line gives one.
    pub within: Option<Duration>,
    /// At the second till of the bench.
    pub second_till: bool,
    /// What it means.
    pub verb: Verb,
}

/// Why a file is not a scenario. All mistakes at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseErrors(pub Vec<String>);

impl fmt::Display for ParseErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ParseErrors {}

/// Reads a whole file; `file` is named in errors.
pub fn parse(file: &str, text: &str) -> Result<Scenario, ParseErrors> {
    let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".scenario").to_owned();
    let mut scenario = Scenario { title: name.clone(), name, till: BenchSpec::default(), steps: Vec::new() };
    let mut errors = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(why) = read_line(&mut scenario, index + 1, line) {
            errors.push(format!("{file}:{}: {why}", index + 1));
        }
    }
    if scenario.steps.is_empty() && errors.is_empty() {
        errors.push(format!("{file}: nothing happens in it: write at least one step, such as `drawer opened with key`"));
    }
    if errors.is_empty() { Ok(scenario) } else { Err(ParseErrors(errors)) }
}

fn read_line(scenario: &mut Scenario, number: usize, line: &str) -> Result<(), String> {
    let header =
        [("title ", true), ("till ", false)].into_iter().find_map(|(key, title)| Some((line.strip_prefix(key)?, title)));
    match header {
        // `till is ready` is a step; all other `till` lines are options.
        Some((rest, false)) if rest.split_whitespace().next() != Some("is") => {
            if !scenario.steps.is_empty() {
                return Err("`till` options stand before the first step".into());
            }
            scenario.till.set(rest)
        }
        Some((title, true)) => {
            scenario.title = title.trim().to_owned();
            Ok(())
        }
        Some(_) | None => {
            scenario.steps.push(step(number, line)?);
            Ok(())
        }
    }
}

/// Reads one step; `number` is the line it stands in.
pub fn step(number: usize, line: &str) -> Result<Step, String> {
    let mut words = split(line)?;
    let plain = |w: Option<&Word>, want: &str| w.is_some_and(|w| !w.quoted && w.text == want);
    let mut at = None;
    if plain(words.first(), "at") && words.len() > 2 {
        at = Some(grammar::duration(&words[1].text)?);
        words.drain(..2);
    }
    let second_till = plain(words.first(), "second") && plain(words.get(1), "till:");
    if second_till {
        words.drain(..2);
    }
    let mut within = None;
    if words.len() > 2 && plain(words.get(words.len() - 2), "within") {
        within = Some(grammar::duration(&words[words.len() - 1].text)?);
        words.truncate(words.len() - 2);
    }
    let verb = grammar::understand(&words)?;
    if within.is_some() && matches!(verb, Verb::Do(_)) {
        return Err("`within` belongs to something that must be seen; this is something that is done".into());
    }
    Ok(Step { line: number, text: line.to_owned(), at, within, second_till, verb })
}

/// Words and texts; `#` outside of quotes begins a comment.
fn split(line: &str) -> Result<Vec<Word>, String> {
    let mut words: Vec<Word> = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '#' => break,
            c if c.is_whitespace() => {}
            '"' => {
                let text: String = chars.by_ref().take_while(|c| *c != '"').collect();
                if !line.ends_with('"') && line.matches('"').count() % 2 == 1 {
                    return Err("a quotation mark is missing".into());
                }
                words.push(Word { text, quoted: true });
            }
            first => {
                let mut text = String::from(first);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && *c != '"') {
                    text.push(c);
                }
                words.push(Word { text, quoted: false });
            }
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::verb::{Action, Expect, On, Told};

    fn verb(line: &str) -> Verb {
        step(1, line).unwrap().verb
    }

    #[test]
    fn a_step_has_a_time_a_verb_and_a_limit() {
        let step = step(7, "at 3.5 display shows \"COUNT THE FLOAT\" / \"KEY TOTAL\" within 10s  # really").unwrap();
        assert_eq!((step.line, step.at, step.within), (7, Some(Duration::from_millis(3500)), Some(Duration::from_secs(10))));
        let rows = Expect::Display { upper: "COUNT THE FLOAT".into(), lower: Some("KEY TOTAL".into()) };
        assert_eq!(step.verb, Verb::See(rows));
    }

    #[test]
    fn keys_are_taken_as_they_stand() {
        assert_eq!(verb("type 1042 Enter 15000 Enter"), Verb::Do(Action::Type("1042 Enter 15000 Enter".into())));
        assert!(step(1, "type 10 Return").unwrap_err().contains("`Return` is not on the keypad"));
    }

    #[test]
    fn a_fault_may_say_how_often_and_on_what() {
        let fault = |times, on| Verb::Do(Action::Fault { name: "drop-after".into(), times, on });
        assert_eq!(verb("api fault drop-after"), fault(1, On::Open));
        assert_eq!(verb("api fault drop-after times 3 on read"), fault(3, On::Read));
        assert_eq!(verb("api fault drop-after on any for ever"), fault(u32::MAX, On::Any));
        assert_eq!(verb("api fault drop-after on count"), fault(1, On::Count));
        assert!(step(1, "api fault drop-dead").unwrap_err().contains("drop-after"));
    }

    #[test]
    fn the_more_exact_sentence_is_found() {
        assert_eq!(verb("paper out after 5 lines"), Verb::Do(Action::PaperOutAfter(5)));
        assert_eq!(verb("drawer is left_open"), Verb::See(Expect::Told(Told::Drawer("left_open".into()))));
        assert_eq!(verb("slip 2 says \"COPY\""), Verb::See(Expect::SlipSays { slip: Some(2), text: "COPY".into() }));
        assert_eq!(verb("printer sends 10 04 fF"), Verb::Do(Action::Noise(vec![0x10, 0x04, 0xFF])));
        assert_eq!(verb("api clock is 300 s behind"), Verb::Do(Action::ApiClock(-300)));
        let now = Expect::DisplayNow { upper: "RIG STORE".into(), lower: Some("WELCOME".into()) };
        assert_eq!(verb("display now shows \"RIG STORE\" / \"WELCOME\""), Verb::See(now));
        let by_key = ["drawer.opened", "by", "key"].map(str::to_owned);
        let [name, field, value] = by_key;
        assert_eq!(verb("event drawer.opened by key"), Verb::See(Expect::EventWith { name, field, value }));
        let pieces = vec![("20.00".into(), 5), ("0.25".into(), 40)];
        assert_eq!(verb("pos counts pieces 5 x 20.00, 40 x 0.25"), Verb::Do(Action::PosCountsPieces { pieces }));
    }

    #[test]
    fn a_mistake_names_file_line_and_the_nearest_sentence() {
        let text = "title x\ndrawer opened with key\n\ndrawer pushd shut\nslips many\n";
        let errors = parse("dir/oops.scenario", text).unwrap_err().0;
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("dir/oops.scenario:4: "), "{}", errors[0]);
        assert!(errors[0].contains("did you mean `drawer pushed shut`?"), "{}", errors[0]);
        assert!(errors[1].contains(":5: `many` is not a number"), "{}", errors[1]);
    }

    #[test]
    fn an_option_after_the_first_step_is_refused() {
        let errors = parse("a.scenario", "drawer opened with key\ntill currency JPY\n").unwrap_err().0;
        assert!(errors[0].contains("before the first step"), "{errors:?}");
    }

    #[test]
    fn a_limit_on_something_done_is_refused() {
        assert!(step(1, "drawer opened with key within 3s").unwrap_err().contains("must be seen"));
        assert!(step(1, "printer sends 1").unwrap_err().contains("two hex digits"));
        assert!(step(1, "api lacks scope fly").unwrap_err().contains("no scope `fly`"));
        assert!(step(1, "display shows \"X").unwrap_err().contains("quotation mark"));
    }

    #[test]
    fn every_sentence_of_the_table_can_be_said() {
        for (form, _) in grammar::list() {
            let line = form
                .replace("{N}", "3")
                .replace("{KEYS rest}", "1 Enter")
                .replace("{NAME rest}", "drop-after")
                .replace("{LIST rest}", "1 x 0.25")
                .replace("{AMOUNT}", "1.00")
                .replace("{TIME}", "1s")
                .replace("{OUTCOME}", "opened")
                .replace("{STATUS}", "201")
                .replace("{PHASE}", "idle")
                .replace("{HEX rest}", "10 04 FF")
                .replace("{HOW}", "link")
                .replace("{SCOPE}", &crate::admin::AdminSpec::default().scopes[0]);
            let line = ["open", "counted", "ok"].into_iter().map(|state| line.replace("{STATE}", state));
            assert!(line.into_iter().any(|l| step(1, &l).is_ok()), "{form}");
        }
    }

    #[test]
    fn the_scenarios_of_the_house_can_all_be_read() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let mut seen = 0;
        for file in std::fs::read_dir(dir).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let scenario = parse(&path.display().to_string(), &text).unwrap_or_else(|errors| panic!("{errors}"));
            assert_ne!(scenario.title, scenario.name, "{} has no title", path.display());
            seen += 1;
        }
        assert!(seen >= 24, "only {seen} scenarios");
    }
}
