//! The program as people and scripts use it: what it prints, where, and with which exit code.
#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]
mod asking;
mod deciding;
#[cfg(feature = "demo")]
mod demo;
mod output;
mod record;
mod running;

use std::{
    ffi::OsStr,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use drawerbridge_hil::bench::{Bench, BenchSpec};

/// What a run of the program left.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or_else(|| panic!("the program was killed: {}", output.status)),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It ended with this code, and said this on that stream.
    #[track_caller]
    fn ended(self, code: i32, stdout: &[&str], stderr: &[&str]) -> Self {
        let all = format!("exit code {}\nstdout:\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr);
        assert_eq!(self.code, code, "{all}");
        for wanted in stdout {
            assert!(self.stdout.contains(wanted), "stdout lacks {wanted:?}\n{all}");
        }
        for wanted in stderr {
            assert!(self.stderr.contains(wanted), "stderr lacks {wanted:?}\n{all}");
        }
        if stderr.is_empty() {
            assert_eq!(self.stderr, "", "{all}");
        }
        self
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

/// The program, with nothing of this environment that it would listen to.
fn program<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drawerbridge"));
    command.args(args).stdin(Stdio::null());
    for variable in ["DRAWERBRIDGE_CONFIG", "DRAWERBRIDGE_LOG", "NOTIFY_SOCKET", "JOURNAL_STREAM"] {
        command.env_remove(variable);
    }
    command
}

fn run(args: &[&str]) -> Ran {
    Ran::of(program(args).output().unwrap())
}

/// As [`run`], with the configuration of a bench.
fn run_in(dir: &Path, args: &[&str]) -> Ran {
    Ran::of(program(args).env("DRAWERBRIDGE_CONFIG", dir.join("config.toml")).output().unwrap())
}

fn run_with_input(args: &[&str], input: &str) -> Ran {
    let mut child = program(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Ran::of(child.wait_with_output().unwrap())
}

/// A till without a daemon.
async fn bench(spec: BenchSpec) -> Bench {
    Bench::start(spec).await.unwrap()
}
